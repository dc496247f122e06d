#include "messages/process_place.hpp"

#include <array>
#include <fstream>
#include <poll.h>
#include <sstream>
#include <sys/syscall.h>
#include <unistd.h>
#include <utility>

namespace troupe {
namespace {

std::string first_line(const std::string& path) {
  auto line = std::string{};
  auto in = std::ifstream{path};
  std::getline(in, line);
  return line;
}

std::string target_of_link(const char* path) {
  auto text = std::array<char, 128>{};
  auto n = ::readlink(path, text.data(), text.size());
  return n > 0 ? std::string(text.data(), static_cast<size_t>(n)) : std::string{};
}

} // namespace

uint64_t start_of_process(uint32_t pid) {
  auto line = first_line("/proc/" + std::to_string(pid) + "/stat");
  auto name_end = line.rfind(')'); // the name of a program may be anything
  if (name_end == std::string::npos)
    return 0;
  auto rest = std::istringstream{line.substr(name_end + 1)};
  auto word = std::string{};
  for (int i = 3; i < 22; ++i) // proc(5): the state is the 3rd field, the start time the 22nd
    rest >> word;
  auto started = uint64_t{0};
  rest >> started;
  return started;
}

process_place this_process_place() {
  auto place = process_place{};
  place.process.pid = static_cast<uint32_t>(::getpid());
  place.process.started = start_of_process(place.process.pid);
  place.boot = first_line("/proc/sys/kernel/random/boot_id");
  place.pids = target_of_link("/proc/self/ns/pid");
  place.user = ::geteuid();
  return place;
}

process_watch::process_watch(process_id who) {
  fd_ = static_cast<int>(::syscall(SYS_pidfd_open, static_cast<pid_t>(who.pid), 0));
  if (fd_ >= 0 && start_of_process(who.pid) != who.started) // the number has been given again
    ::close(std::exchange(fd_, -1));
}

process_watch::process_watch(process_watch&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {
  // nop
}

process_watch& process_watch::operator=(process_watch&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

process_watch::~process_watch() {
  if (fd_ >= 0)
    ::close(fd_);
}

bool process_watch::ended() const {
  auto waiting = pollfd{fd_, POLLIN, 0};
  return fd_ < 0 || ::poll(&waiting, 1, 0) != 0;
}

} // namespace troupe
