#include "tests/hosts/packet_switch.hpp"

#include <algorithm>
#include <array>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace troupe::test {

namespace {

using std::chrono::steady_clock;

constexpr size_t largest_packet = 65'536;
// Taken from one port before the others get their turn.
constexpr int burst = 64;

/// The port that an IPv4 packet is for; none where it is another kind of packet.
size_t destination(const packet_queue::packet& packet) {
  const auto is_v4 = packet.size() >= 20 && (static_cast<unsigned>(packet[0]) >> 4U) == 4;
  const auto host = is_v4 ? static_cast<size_t>(packet[19]) : 0; // the last byte of the address
  return host - 1;
}

} // namespace

// -- the core ---------------------------------------------------------------------------------------------------------

link_state packet_queue::state(size_t from, size_t to) const {
  const auto known = links_.find({from, to});
  return known == links_.end() ? link_state{} : known->second;
}

// splitmix64
double packet_queue::draw() {
  auto x = draws_ += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27U)) * 0x94d049bb133111eb;
  return static_cast<double>((x ^ (x >> 31U)) >> 11U) * 0x1p-53;
}

bool packet_queue::sent(size_t from, size_t to, packet what, time_point now) {
  const auto link = state(from, to);
  if (link.cut || under_way_.size() >= most_under_way || (link.loss > 0 && draw() < link.loss))
    return false;
  under_way_.emplace(now + link.delay, flying{to, std::move(what)});
  return true;
}

bool packet_queue::arrived(time_point now, size_t& to, packet& what) {
  if (next() > now)
    return false;
  auto first = under_way_.extract(under_way_.begin());
  to = first.mapped().to;
  what = std::move(first.mapped().what);
  return true;
}

packet_queue::time_point packet_queue::next() const {
  return under_way_.empty() ? time_point::max() : under_way_.begin()->first;
}

// -- the shell --------------------------------------------------------------------------------------------------------

packet_switch::packet_switch(std::vector<int> ports, uint64_t seed)
  : ports_(std::move(ports)), wake_(::eventfd(0, EFD_CLOEXEC)), queue_(seed), thread_([this] { run(); }) {}

packet_switch::~packet_switch() {
  stop_ = true;
  ::eventfd_write(wake_, 1);
  thread_.join();
  for (const int port : ports_)
    ::close(port);
  ::close(wake_);
}

void packet_switch::set(size_t from, size_t to, const link_state& state) {
  const std::lock_guard guard(mutex_);
  queue_.set(from, to, state);
}

link_state packet_switch::state(size_t from, size_t to) const {
  const std::lock_guard guard(mutex_);
  return queue_.state(from, to);
}

int packet_switch::milliseconds_to_wait() const {
  const std::lock_guard guard(mutex_);
  if (queue_.next() == packet_queue::time_point::max())
    return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(queue_.next() - steady_clock::now());
  return static_cast<int>(std::max<int64_t>(0, left.count()));
}

void packet_switch::run() {
  std::vector<pollfd> polled;
  for (const int port : ports_)
    polled.push_back({port, POLLIN, 0});
  polled.push_back({wake_, POLLIN, 0});
  while (!stop_) {
    ::poll(polled.data(), polled.size(), milliseconds_to_wait());
    for (size_t port = 0; port < ports_.size(); ++port)
      if ((polled[port].revents & POLLIN) != 0)
        take_from(port);
    deliver();
  }
}

void packet_switch::take_from(size_t port) {
  std::array<std::byte, largest_packet> buffer; // NOLINT(cppcoreguidelines-pro-type-member-init): written before read
  for (int i = 0; i < burst; ++i) {
    const auto count = ::read(ports_[port], buffer.data(), buffer.size());
    if (count <= 0)
      return;
    packet_queue::packet packet(buffer.begin(), buffer.begin() + count);
    const auto to = destination(packet);
    const std::lock_guard guard(mutex_);
    if (to >= ports_.size() || !queue_.sent(port, to, std::move(packet), steady_clock::now()))
      ++lost_;
  }
}

void packet_switch::deliver() {
  size_t to = 0;
  packet_queue::packet packet;
  const auto next = [&] {
    const std::lock_guard guard(mutex_);
    return queue_.arrived(steady_clock::now(), to, packet);
  };
  while (next())
    ++(::write(ports_[to], packet.data(), packet.size()) > 0 ? passed_ : lost_);
}

} // namespace troupe::test
