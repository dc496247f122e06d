#include "tests/hosts/test_hosts.hpp"

#include <arpa/inet.h>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

namespace troupe::test {

namespace {

namespace fs = std::filesystem;

// Jumbo frames: fewer packets to pass on.
constexpr int packet_size = 9000;

failure no_hosts(const std::string& what) {
  return {fmt::format("no test hosts here: cannot {} ({}); they need root, namespaces and /dev/net/tun", what,
                      std::strerror(errno))};
}

ifreq request_for(const char* device) {
  auto result = ifreq{};
  std::strncpy(result.ifr_name, device, IFNAMSIZ - 1);
  return result;
}

bool bring_up(int socket, const char* device) {
  auto request = request_for(device);
  request.ifr_flags = IFF_UP | IFF_RUNNING; // NOLINT(cppcoreguidelines-pro-type-union-access): what ioctl takes
  return ::ioctl(socket, SIOCSIFFLAGS, &request) == 0;
}

bool set_address(int socket, const char* device, unsigned long what, const std::string& address) {
  auto request = request_for(device);
  auto to = sockaddr_in{};
  to.sin_family = AF_INET;
  ::inet_pton(AF_INET, address.c_str(), &to.sin_addr);
  std::memcpy(&request.ifr_addr, &to, sizeof(to)); // NOLINT(cppcoreguidelines-pro-type-union-access)
  return ::ioctl(socket, what, &request) == 0;
}

/// The TUN device "net0" in the network namespace of this thread.
expected<int> open_device(const std::string& address) {
  const int device = ::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (device < 0)
    return tl::unexpected(no_hosts("open /dev/net/tun"));
  auto request = request_for("net0");
  request.ifr_flags = IFF_TUN | IFF_NO_PI; // NOLINT(cppcoreguidelines-pro-type-union-access)
  const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  auto size = request_for("net0");
  size.ifr_mtu = packet_size; // NOLINT(cppcoreguidelines-pro-type-union-access)
  const bool done = ::ioctl(device, TUNSETIFF, &request) == 0 && ::ioctl(socket, SIOCSIFMTU, &size) == 0 &&
                    set_address(socket, "net0", SIOCSIFADDR, address) &&
                    set_address(socket, "net0", SIOCSIFNETMASK, "255.255.255.0") && bring_up(socket, "net0") &&
                    bring_up(socket, "lo");
  const auto why = no_hosts("set up a network device");
  ::close(socket);
  if (done)
    return device;
  ::close(device);
  return tl::unexpected(why);
}

/// Gives the mount namespace of this thread a boot number of its own.
expected<void> boot_as_another_host(size_t host) {
  auto name = (fs::temp_directory_path() / "troupe-boot-XXXXXX").string();
  const int file = ::mkstemp(name.data());
  const auto text = fmt::format("00000000-0000-0000-0000-{:08}{:04}\n", ::getpid(), host);
  const bool done = file >= 0 && ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                    ::fchmod(file, 0444) == 0 && ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                    ::mount(name.c_str(), "/proc/sys/kernel/random/boot_id", nullptr, MS_BIND, nullptr) == 0;
  const auto why = no_hosts("give a mount namespace a boot number");
  if (file >= 0)
    ::close(file);
  ::unlink(name.c_str());
  if (!done)
    return tl::unexpected(why);
  return {};
}

/// The processes for which `f` is true.
template <class F>
std::vector<pid_t> processes_if(F f) {
  std::vector<pid_t> result;
  std::error_code gone;
  for (const auto& entry : fs::directory_iterator("/proc", gone)) {
    const auto name = entry.path().filename().string();
    pid_t pid = 0;
    if (std::from_chars(name.data(), name.data() + name.size(), pid).ec == std::errc{} && f(pid))
      result.push_back(pid);
  }
  return result;
}

} // namespace

// -- making them ------------------------------------------------------------------------------------------------------

std::string test_hosts::address(size_t host) {
  return fmt::format("10.77.0.{}", host + 1);
}

expected<test_hosts::room> test_hosts::furnish(size_t host, int& device) {
  if (::unshare(CLONE_NEWNET | CLONE_NEWNS) != 0)
    return tl::unexpected(no_hosts("make a namespace"));
  if (auto booted = boot_as_another_host(host); !booted)
    return tl::unexpected(booted.error());
  auto opened = open_device(address(host));
  if (!opened)
    return tl::unexpected(opened.error());
  device = *opened;
  return room{::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC),
              ::open("/proc/thread-self/ns/mnt", O_RDONLY | O_CLOEXEC)};
}

// The namespaces are those of a thread that ends: from then on they live by their descriptors and processes.
expected<std::unique_ptr<test_hosts>> test_hosts::make(size_t count, uint64_t seed) {
  auto result = std::unique_ptr<test_hosts>(new test_hosts);
  std::vector<int> devices;
  for (size_t host = 0; host < count; ++host) {
    auto made = expected<room>{};
    int device = -1;
    std::thread([&] { made = furnish(host, device); }).join();
    if (device >= 0)
      devices.push_back(device);
    if (!made) {
      for (const int each : devices)
        ::close(each);
      return tl::unexpected(made.error());
    }
    result->rooms_.push_back(*made);
  }
  result->switch_ = std::make_unique<packet_switch>(std::move(devices), seed);
  return result;
}

test_hosts::~test_hosts() {
  for (size_t host = 0; host < size(); ++host)
    kill(host);
  switch_.reset();
  for (const auto& each : rooms_) {
    ::close(each.network);
    ::close(each.mounts);
  }
}

std::vector<std::string> test_hosts::inside(size_t host, const std::string& folder,
                                            const std::vector<std::string>& command) const {
  const auto of_this_process = [](int descriptor) { return fmt::format("/proc/{}/fd/{}", ::getpid(), descriptor); };
  std::vector<std::string> words{"/usr/bin/nsenter",
                                 "--net=" + of_this_process(rooms_[host].network),
                                 "--mount=" + of_this_process(rooms_[host].mounts),
                                 "/usr/bin/setpriv",
                                 "--pdeathsig",
                                 "KILL",
                                 "/usr/bin/env",
                                 "--chdir=" + folder};
  words.insert(words.end(), command.begin(), command.end());
  return words;
}

// -- faults -----------------------------------------------------------------------------------------------------------

void test_hosts::set_all(size_t host, const link_state& state) {
  for (size_t other = 0; other < size(); ++other)
    if (other != host) {
      set(host, other, state);
      set(other, host, state);
    }
}

void test_hosts::set_all(const link_state& state) {
  for (size_t host = 0; host < size(); ++host)
    set_all(host, state);
}

void test_hosts::signal_all(size_t host, int signal) const {
  for (const auto pid : processes(host))
    ::kill(pid, signal);
}

void test_hosts::freeze(size_t host) const {
  signal_all(host, SIGSTOP);
}

void test_hosts::thaw(size_t host) const {
  signal_all(host, SIGCONT);
}

// One that dies may have been starting another.
void test_hosts::kill(size_t host) const {
  while (!processes(host).empty()) {
    signal_all(host, SIGKILL);
    ::poll(nullptr, 0, 1);
  }
}

// -- what is there ----------------------------------------------------------------------------------------------------

std::vector<pid_t> test_hosts::processes(size_t host) const {
  struct stat ours {};
  ::fstat(rooms_[host].network, &ours);
  return processes_if([&](pid_t pid) {
    struct stat theirs {};
    return ::stat(fmt::format("/proc/{}/ns/net", pid).c_str(), &theirs) == 0 && theirs.st_ino == ours.st_ino;
  });
}

size_t test_hosts::sockets(size_t host) const {
  size_t result = 0;
  std::error_code gone;
  for (const auto pid : processes(host))
    for (const auto& entry : fs::directory_iterator(fmt::format("/proc/{}/fd", pid), gone))
      if (fs::read_symlink(entry.path(), gone).string().starts_with("socket:"))
        ++result;
  return result;
}

} // namespace troupe::test
