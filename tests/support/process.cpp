#include "tests/support/process.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <poll.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

namespace troupe::test {

namespace {

using clock = std::chrono::steady_clock;

std::array<int, 2> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    throw std::system_error(errno, std::generic_category(), "pipe2");
  return ends;
}

/// Appends what the pipe holds; closes it at its end.
void drain(int& pipe, std::string& into) {
  std::array<char, 4096> buffer{};
  const auto count = ::read(pipe, buffer.data(), buffer.size());
  if (count > 0) {
    into.append(buffer.data(), static_cast<size_t>(count));
  } else {
    ::close(pipe);
    pipe = -1;
  }
}

} // namespace

process::process(std::vector<std::string> command, const std::string& folder) {
  std::vector<char*> words;
  words.reserve(command.size() + 1);
  for (auto& word : command)
    words.push_back(word.data());
  words.push_back(nullptr);
  const auto out = make_pipe();
  const auto err = make_pipe();
  pid_ = ::fork();
  if (pid_ < 0)
    throw std::system_error(errno, std::generic_category(), "fork");
  if (pid_ == 0) {
    ::dup2(out[1], STDOUT_FILENO);
    ::dup2(err[1], STDERR_FILENO);
    if (::chdir(folder.c_str()) == 0)
      ::execv(words.front(), words.data());
    ::_exit(127);
  }
  ::close(out[1]);
  ::close(err[1]);
  out_pipe_ = out[0];
  err_pipe_ = err[0];
}

process::~process() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  for (const int pipe : {out_pipe_, err_pipe_})
    if (pipe >= 0)
      ::close(pipe);
}

void process::send(int signal) const {
  ::kill(pid_, signal);
}

std::vector<pid_t> process::children() const {
  std::vector<pid_t> result;
  std::error_code gone;
  for (const auto& task : std::filesystem::directory_iterator(fmt::format("/proc/{}/task", pid_), gone)) {
    std::ifstream list(task.path() / "children");
    for (pid_t each = 0; list >> each;)
      result.push_back(each);
  }
  return result;
}

bool process::read_some(clock::time_point deadline) {
  if (out_pipe_ < 0 && err_pipe_ < 0)
    return false;
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - clock::now()).count();
  std::array<pollfd, 2> polled{{{out_pipe_, POLLIN, 0}, {err_pipe_, POLLIN, 0}}};
  if (left <= 0 || ::poll(polled.data(), polled.size(), static_cast<int>(left)) <= 0)
    return false;
  if (polled[0].revents != 0)
    drain(out_pipe_, out_);
  if (polled[1].revents != 0)
    drain(err_pipe_, err_);
  return true;
}

bool process::wait_for_output(const std::string& text, std::chrono::seconds deadline) {
  const auto until = clock::now() + deadline;
  while (out_.find(text) == std::string::npos)
    if (!read_some(until))
      return false;
  return true;
}

bool process::wait_until(const std::function<bool()>& condition, std::chrono::seconds deadline) {
  const auto until = clock::now() + deadline;
  while (!condition()) {
    if (clock::now() >= until)
      return false;
    if (out_pipe_ < 0 && err_pipe_ < 0)
      ::poll(nullptr, 0, 5);
    else
      read_some(clock::now() + std::chrono::milliseconds{5});
  }
  return true;
}

int process::wait(std::chrono::seconds deadline) {
  const auto until = clock::now() + deadline;
  while (read_some(until)) {
  }
  if (clock::now() >= until)
    ::kill(pid_, SIGKILL);
  int status = 0;
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

} // namespace troupe::test
