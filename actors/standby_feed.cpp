#include "actors/standby_feed.hpp"

#include <caf/scoped_actor.hpp>
#include <cstring>
#include <fmt/format.h>

#include "actors/node_link.hpp"
#include "messages/caf.hpp"

namespace troupe {
namespace {

using namespace std::chrono_literals;

// Opening a large data set on the standby's host takes its time (R7).
constexpr auto follow_deadline = 60s;
constexpr auto keep_deadline = 60s;
constexpr auto end_deadline = 2s;
// A standby that is not there is tried again at this pace.
constexpr auto retry = 1s;

payload copy_of(const learn::flat& values) {
  auto result = payload::floats(values.size());
  std::memcpy(result.mutable_floats().data(), values.data(), values.size() * sizeof(float));
  return result;
}

} // namespace

void feed_pace::ended(time_point now) {
  if (!began_)
    return;
  next_ = now + std::max<std::chrono::nanoseconds>(least_rest, rests_per_work * (now - *began_));
  began_.reset();
}

// -- the link ---------------------------------------------------------------------------------------------------------

/// Spawned detached: connecting blocks.
class standby_feed::link final : public caf::event_based_actor {
public:
  link(caf::actor_config& cfg, standby_feed& feed) : caf::event_based_actor(cfg), feed_(feed) {}
  const char* name() const override { return "troupe.standby_feed"; }

  // From within its own context.
  void send(keep_state what) {
    troupe::request(this, feed_.standby_, keep_deadline, std::move(what))
      .then(
        [this](const state_kept& k) {
          done();
          if (!k.refusal.empty())
            feed_.config_.on_note(fmt::format("the standby did not take a state: {}", k.refusal));
        },
        [this](const caf::error&) { done(); }); // its end is seen otherwise
  }
  void done() {
    auto guard = std::lock_guard{feed_.mutex_};
    feed_.pace_.ended(system().clock().now());
  }
  void watch() {
    troupe::monitor(this, feed_.standby_, [this](const caf::error&) {
      {
        auto guard = std::lock_guard{feed_.mutex_};
        feed_.pace_.follows(false);
        feed_.standby_ = nullptr;
      }
      feed_.config_.on_note(
        fmt::format("the standby at {} is gone: the run goes on without one until it is back", feed_.config_.address));
      look_for_it();
    });
  }

protected:
  caf::behavior make_behavior() override {
    return {[](caf::unit_t) {}}; // a behaviour keeps the actor alive
  }

private:
  void look_for_it() {
    run_after(this, retry, [this] {
      if (!feed_.connect())
        return look_for_it();
      feed_.config_.on_note(fmt::format("the standby at {} follows again", feed_.config_.address));
      watch();
    });
  }

  standby_feed& feed_;
};

// -- the feed ---------------------------------------------------------------------------------------------------------

standby_feed::standby_feed(caf::actor_system& system, config c) : system_(system), config_(std::move(c)) {}

standby_feed::~standby_feed() {
  if (!link_)
    return;
  auto self = caf::scoped_actor{system_};
  troupe::anon_send_exit(link_, caf::exit_reason::kill);
  self->wait_for(link_); // it uses this object
}

expected<std::unique_ptr<standby_feed>> standby_feed::begin(caf::actor_system& system, config c) {
  auto feed = std::unique_ptr<standby_feed>(new standby_feed(system, std::move(c)));
  if (auto connected = feed->connect(); !connected)
    return tl::unexpected(connected.error());
  auto self = caf::scoped_actor{system};
  auto problem = std::string{};
  troupe::request(self, feed->standby_, keep_deadline, feed->message_of(*feed->config_.first))
    .receive([&](const state_kept& k) { problem = k.refusal; },
             [&](const caf::error& e) { problem = caf::to_string(e); });
  if (!problem.empty())
    return fail(fmt::format("the standby at {} did not take the state of the run: {}", feed->config_.address, problem));
  feed->link_ = system.spawn<link, caf::detached>(*feed);
  run_in(feed->link_,
         [actor = static_cast<link*>(caf::actor_cast<caf::abstract_actor*>(feed->link_))] { actor->watch(); });
  return feed;
}

expected<void> standby_feed::connect() {
  auto [host, port] = *parse_address(config_.address);
  auto reached = reach(system_, host, port, "standby");
  if (!reached)
    return tl::unexpected(reached.error());
  auto found = caf::actor_cast<standby_actor>(*reached);
  auto self = caf::scoped_actor{system_};
  auto problem = std::string{};
  troupe::request(self, found, follow_deadline, config_.order)
    .receive([&](const following& f) { problem = f.refusal; },
             [&](const caf::error& e) { problem = fmt::format("it does not follow ({})", caf::to_string(e)); });
  if (!problem.empty())
    return fail(fmt::format("the standby at {} refuses: {}", config_.address, problem));
  auto guard = std::lock_guard{mutex_};
  standby_ = found;
  pace_.follows(true);
  return {};
}

keep_state standby_feed::message_of(const model_state& state) const {
  auto message = keep_state{config_.order.job, state.version, config_.tokens(), copy_of(state.parameters), {}};
  for (auto& s : state.state)
    message.state.push_back(copy_of(s));
  return message;
}

bool standby_feed::take_turn(feed_pace::time_point now) {
  auto guard = std::lock_guard{mutex_};
  if (!pace_.wants(now))
    return false;
  pace_.begin(now);
  return true;
}

void standby_feed::hand_over(std::shared_ptr<const model_state> state) {
  auto* actor = static_cast<link*>(caf::actor_cast<caf::abstract_actor*>(link_));
  run_in(link_, [this, actor, state = std::move(state)] {
    if (state && standby_)
      actor->send(message_of(*state));
    else
      actor->done();
  });
}

void standby_feed::end(const std::string& how) {
  auto there = [this] {
    auto guard = std::lock_guard{mutex_};
    return standby_;
  }();
  if (!there)
    return;
  troupe::anon_send_exit(link_, caf::exit_reason::kill); // that the standby ends is not to be told
  auto self = caf::scoped_actor{system_};
  troupe::request(self, there, end_deadline, job_ended{config_.order.job, how})
    .receive([] {}, [](const caf::error&) {}); // it will see that nobody answers its claims
}

} // namespace troupe
