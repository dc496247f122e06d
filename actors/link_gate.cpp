#include "actors/link_gate.hpp"

#include <algorithm>
#include <cerrno>
#include <fmt/format.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

#include "actors/link_address.hpp"

namespace troupe {
namespace {

// Connections taken at a time, so that those there are get their turn.
constexpr int most_at_a_time = 64;
// For sockets to be closed elsewhere, when there are no more.
constexpr int breather_ms = 50;

} // namespace

link_gate::stranger::stranger(int socket, const link_process& process)
  : from(address_of_peer(socket)), deadline(clock::now() + process.settings->limits.greeting),
    session(socket, process.settings, process.process) {
  // nop
}

link_gate::link_gate(int listening, link_process process, admit on_peer)
  : listening_(listening), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), process_(std::move(process)),
    on_peer_(std::move(on_peer)), thread_([this] { run(); }) {
  // nop
}

link_gate::~link_gate() {
  close();
  thread_.join();
  ::close(wake_);
}

void link_gate::close() {
  if (!closed_.exchange(true))
    ::eventfd_write(wake_, 1);
}

void link_gate::run() {
  auto polled = std::vector<pollfd>{};
  while (!closed_) {
    polled.clear();
    polled.push_back({wake_, POLLIN, 0});
    polled.push_back({is_out_of_sockets_ ? -1 : listening_, POLLIN, 0});
    for (auto& each : strangers_)
      polled.push_back({each.session.socket(), // NOLINT(performance-inefficient-vector-operation)
                        static_cast<short>(each.wants == link_session::needs::output ? POLLOUT : POLLIN), 0});
    ::poll(polled.data(), polled.size(), milliseconds_left());
    is_out_of_sockets_ = false;
    auto now = clock::now();
    auto ready = polled.begin() + 2;
    for (auto i = strangers_.begin(); i != strangers_.end(); ++ready) {
      auto who = i++;
      if (ready->revents != 0)
        go_on(who);
      else if (who->deadline <= now)
        drop(who, fmt::format("it is not through the hello after {} ms", process_.settings->limits.greeting.count()));
    }
    if (polled[1].revents != 0)
      take_new();
  }
  strangers_.clear();
  ::close(listening_);
}

int link_gate::milliseconds_left() const {
  auto wait = is_out_of_sockets_ ? breather_ms : -1;
  if (!strangers_.empty()) { // all have the same time
    auto left = std::chrono::ceil<std::chrono::milliseconds>(strangers_.front().deadline - clock::now()).count();
    auto first = static_cast<int>(std::max<decltype(left)>(left, 0));
    wait = wait < 0 ? first : std::min(wait, first);
  }
  return wait;
}

void link_gate::take_new() {
  for (auto i = 0; i < most_at_a_time; ++i) {
    auto socket = ::accept4(listening_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (socket < 0) {
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        if (!strangers_.empty())
          make_room();
        is_out_of_sockets_ = true;
      }
      return;
    }
    if (strangers_.size() >= process_.settings->limits.strangers)
      make_room();
    strangers_.emplace_back(socket, process_);
    go_on(std::prev(strangers_.end()));
  }
}

// The oldest of those that have said nothing, or the oldest.
void link_gate::make_room() {
  auto silent = std::find_if(strangers_.begin(), strangers_.end(), [](auto& x) { return !x.session.has_begun(); });
  drop(silent != strangers_.end() ? silent : strangers_.begin(), "it kept silent while others waited to be let in");
}

void link_gate::go_on(std::list<stranger>::iterator who) {
  auto wants = who->session.advance();
  if (!wants)
    return drop(who, wants.error().sentence);
  who->wants = *wants;
  if (*wants != link_session::needs::nothing)
    return;
  if (auto most = process_.settings->limits.peers; process_.peers->load() >= most)
    return drop(who, fmt::format("there are {} connections already, the most that this process has", most));
  auto from = std::move(who->from);
  auto channel = who->session.release();
  strangers_.erase(who);
  on_peer_(std::move(channel), from);
}

void link_gate::drop(std::list<stranger>::iterator who, const std::string& why) {
  if (!who->session.left_silently())
    process_.log->refused(who->from, why);
  strangers_.erase(who);
}

} // namespace troupe
