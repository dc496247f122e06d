#include "actors/worker_process.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include "actors/link_settings.hpp"

extern char** environ; // NOLINT

namespace troupe {
namespace {

using namespace std::chrono_literals;

constexpr auto start_limit = 10s;
constexpr auto end_limit = 5s;
constexpr auto ready_prefix = std::string_view{"node ready on "};

std::string this_program() {
  auto path = std::array<char, 4096>{};
  auto n = ::readlink("/proc/self/exe", path.data(), path.size() - 1);
  return n > 0 ? std::string(path.data(), static_cast<size_t>(n)) : std::string{};
}

// Waits for the process to end; its status, or none where it has not by then.
std::optional<int> reap(pid_t pid, std::chrono::milliseconds limit) {
  auto end = std::chrono::steady_clock::now() + limit;
  for (;;) {
    int status = 0;
    if (::waitpid(pid, &status, WNOHANG) != 0)
      return status;
    if (std::chrono::steady_clock::now() >= end)
      return std::nullopt;
    ::poll(nullptr, 0, 1);
  }
}

std::string describe(pid_t pid, int status) {
  if (WIFSIGNALED(status))
    return fmt::format("its process {} was ended by signal {} ({})", pid, WTERMSIG(status),
                       ::strsignal(WTERMSIG(status)));
  auto code = WEXITSTATUS(status);
  return fmt::format("its process {} ended with exit code {}{}", pid, code,
                     code == stuck_exit_code         ? ", because a handler did not return"
                     : code == device_lost_exit_code ? ", because its device was lost or stuck"
                                                     : "");
}

} // namespace

expected<worker_process> worker_process::launch(const worker_options& options) {
  auto path = options.program.empty() ? this_program() : options.program;
  int parent[2];
  int output[2];
  if (::pipe2(parent, O_CLOEXEC) != 0)
    return fail(fmt::format("cannot start a worker process: {}", std::strerror(errno)));
  if (::pipe2(output, O_CLOEXEC) != 0) {
    ::close(parent[0]);
    ::close(parent[1]);
    return fail(fmt::format("cannot start a worker process: {}", std::strerror(errno)));
  }
  // The child inherits exactly these: the pipe it watches as 3, its standard output.
  posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawn_file_actions_adddup2(&files, output[1], STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&files, parent[0], 3);
  // Ctrl-C on the terminal is for the leader alone, which ends its workers in order.
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  ::posix_spawnattr_setpgroup(&attributes, 0);
  auto words =
    std::vector<std::string>{path, "node", "--listen", options.host + ":0", "--slots", "1", "--parent-pipe", "3"};
  if (options.threads > 0)
    words.insert(words.end(), {"--threads", std::to_string(options.threads)});
  if (!options.certs.empty())
    words.insert(words.end(), {"--certs", options.certs});
  auto arguments = std::vector<char*>{};
  for (auto& w : words)
    arguments.push_back(w.data());
  arguments.push_back(nullptr);
  auto mark = std::string{"TROUPE_WORKER_PROCESS=1"};
  auto environment = std::vector<char*>{};
  for (auto** e = environ; *e != nullptr; ++e)
    if (!is_secret(*e))
      environment.push_back(*e);
  environment.push_back(mark.data());
  auto secret = secret_for_child(options.secret);
  if (!options.secret.empty())
    environment.push_back(secret.data());
  environment.push_back(nullptr);
  pid_t pid = -1;
  auto error = ::posix_spawn(&pid, path.c_str(), &files, &attributes, arguments.data(), environment.data());
  ::posix_spawn_file_actions_destroy(&files);
  ::posix_spawnattr_destroy(&attributes);
  ::close(parent[0]);
  ::close(output[1]);
  if (error != 0) {
    ::close(parent[1]);
    ::close(output[0]);
    return fail(fmt::format("cannot start the worker process {}: {}", path, std::strerror(error)));
  }
  return worker_process{pid, parent[1], output[0]};
}

worker_process::worker_process(worker_process&& other) noexcept
  : pid_(std::exchange(other.pid_, -1)), status_(std::exchange(other.status_, std::nullopt)),
    parent_pipe_(std::exchange(other.parent_pipe_, -1)), output_(std::exchange(other.output_, -1)) {
  // nop
}

worker_process& worker_process::operator=(worker_process&& other) noexcept {
  if (this != &other) {
    close();
    pid_ = std::exchange(other.pid_, -1);
    status_ = std::exchange(other.status_, std::nullopt);
    parent_pipe_ = std::exchange(other.parent_pipe_, -1);
    output_ = std::exchange(other.output_, -1);
  }
  return *this;
}

worker_process::~worker_process() {
  close();
}

void worker_process::close() {
  if (output_ >= 0)
    ::close(std::exchange(output_, -1));
  if (parent_pipe_ >= 0)
    ::close(std::exchange(parent_pipe_, -1)); // the worker sees its end and ends itself
  if (pid_ > 0 && !status_ && !reap(pid_, end_limit)) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  pid_ = -1;
}

std::optional<std::string> worker_process::ended(std::chrono::milliseconds limit) {
  if (!status_)
    status_ = reap(pid_, limit);
  return status_ ? std::optional{describe(pid_, *status_)} : std::nullopt;
}

void worker_process::terminate() const {
  if (pid_ > 0 && !status_)
    ::kill(pid_, SIGTERM);
}

void worker_process::kill() const {
  if (pid_ > 0 && !status_)
    ::kill(pid_, SIGKILL);
}

expected<uint16_t> worker_process::port() {
  auto deadline = std::chrono::steady_clock::now() + start_limit;
  auto line = std::string{};
  while (line.find('\n') == std::string::npos) {
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    auto waiting = pollfd{output_, POLLIN, 0};
    if (left.count() <= 0 || ::poll(&waiting, 1, static_cast<int>(left.count())) == 0)
      return fail("a worker process was started but did not get ready within 10 s");
    auto buffer = std::array<char, 256>{};
    auto n = ::read(output_, buffer.data(), buffer.size());
    if (n <= 0)
      return fail(fmt::format("a worker process ended before it was ready: {}; its own message says why",
                              ended(std::chrono::seconds{1}).value_or("it closed its output")));
    line.append(buffer.data(), static_cast<size_t>(n));
  }
  auto colon = line.rfind(':');
  if (!line.starts_with(ready_prefix) || colon == std::string::npos)
    return fail(
      fmt::format("a worker process said \"{}\" where it should have named its port: the program must host agents "
                  "as troupe does",
                  line.substr(0, line.find('\n'))));
  return static_cast<uint16_t>(std::strtoul(line.c_str() + colon + 1, nullptr, 10));
}

} // namespace troupe
