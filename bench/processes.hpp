#pragma once

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>

/// What benchmarks of several processes share: this program once more as a child that talks over pipes, and how often
/// something is measured.
namespace troupe::bench {

inline constexpr int repetitions = 5;
inline constexpr double seconds_per_repetition = 0.5;

[[noreturn]] inline void give_up(std::string_view sentence) {
  fmt::print(stderr, "{}: {}\n", program_invocation_short_name, sentence);
  std::_Exit(1);
}

/// Five times as many steps as take half a second; `seconds_of(n)` makes n.
template <class F>
void measure(const std::string& what, uint32_t peers, size_t bytes, F seconds_of) {
  seconds_of(5);
  auto one = seconds_of(3) / 3;
  auto n = static_cast<uint64_t>(std::clamp(seconds_per_repetition / one, 3.0, 5000.0));
  for (int i = 0; i < repetitions; ++i) {
    auto seconds = seconds_of(n);
    fmt::print(R"({{"impl":"{}","np":{},"bytes":{},"iters":{},"us":{:.2f},"algbw_GBps":{:.4f}}})"
               "\n",
               what, peers, bytes, n, seconds / static_cast<double>(n) * 1e6,
               static_cast<double>(bytes) * static_cast<double>(n) / seconds / 1e9);
    std::fflush(stdout);
  }
}

template <class F>
double seconds(F work) {
  auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

struct child {
  pid_t pid = 0;
  FILE* in = nullptr;
  FILE* out = nullptr;

  std::string line() const {
    char text[64] = {};
    if (std::fgets(text, sizeof(text), out) == nullptr)
      give_up("a process has ended");
    return text;
  }
  void say(const std::string& words) const {
    std::fputs(words.c_str(), in);
    std::fflush(in);
  }
};

inline child launch(const std::vector<std::string>& words) {
  int in[2];
  int out[2];
  if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0)
    give_up("no pipes");
  posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawn_file_actions_adddup2(&files, in[0], STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&files, out[1], STDOUT_FILENO);
  auto copies = words;
  auto arguments = std::vector<char*>{};
  for (auto& w : copies)
    arguments.push_back(w.data());
  arguments.push_back(nullptr);
  auto result = child{};
  if (::posix_spawn(&result.pid, "/proc/self/exe", &files, nullptr, arguments.data(), environ) != 0)
    give_up("cannot start a process");
  ::posix_spawn_file_actions_destroy(&files);
  ::close(in[0]);
  ::close(out[1]);
  result.in = ::fdopen(in[1], "w");
  result.out = ::fdopen(out[0], "r");
  return result;
}

} // namespace troupe::bench
