#include "actors/voter_link.hpp"

#include "actors/leader_lease.hpp"
#include "actors/node_link.hpp"
#include "messages/caf.hpp"

namespace troupe {
namespace {

using namespace std::chrono_literals;

// A voter that is not there is tried again at this pace.
constexpr auto retry = 300ms;

} // namespace

caf::behavior voter_link::make_behavior() {
  on_exit_message(this, [this](caf::exit_msg& m) {
    if (there_)
      troupe::send(this, there_, config_.claim->release());
    quit(std::move(m.reason));
  });
  there_ = config_.here;
  go_on();
  return {[](caf::unit_t) {}}; // a behaviour keeps the actor alive
}

void voter_link::go_on() {
  auto now = system().clock().now();
  if (!there_ && now >= next_try_)
    connect();
  if (there_) {
    auto word = config_.claim->due(config_.voter, system().clock().now());
    if (auto* claim = std::get_if<claim_lead>(&word))
      say(*claim);
    else if (auto* given_up = std::get_if<release_lead>(&word))
      troupe::send(this, there_, *given_up);
  }
  run_after(this, look, [this] { go_on(); });
}

void voter_link::connect() {
  auto [host, port] = *parse_address(config_.address);
  auto reached = reach(system(), host, port, config_.is);
  next_try_ = system().clock().now() + retry;
  if (!reached)
    return;
  there_ = *reached;
  troupe::monitor(this, there_, [this, who = there_](const caf::error&) {
    if (there_ == who)
      there_ = nullptr;
  });
}

// An answer that comes later than the lease is worth nothing.
void voter_link::say(const claim_lead& what) {
  auto sent = system().clock().now();
  troupe::request(this, there_, leader_lease::length, what)
    .then([this, what, sent](
            const lead_answer& a) { config_.claim->on_answer(config_.voter, what, sent, a, system().clock().now()); },
          [](const caf::error&) {});
}

voter_links::~voter_links() {
  for (auto& each : links_)
    troupe::anon_send_exit(each, caf::exit_reason::user_shutdown);
}

void voter_links::add(const std::string& address, const std::string& is) {
  links_.push_back(
    system_.spawn<voter_link, caf::detached>(voter_link::config{claim_, links_.size(), address, is, nullptr}));
}

void voter_links::add(const caf::actor& here) {
  links_.push_back(system_.spawn<voter_link, caf::detached>(voter_link::config{claim_, links_.size(), {}, {}, here}));
}

} // namespace troupe
