#include "actors/remote_actor.hpp"

#include <chrono>
#include <fmt/format.h>
#include <utility>

#include "actors/message_types.hpp"
#include "actors/node_link.hpp"
#include "messages/caf.hpp"
#include "supervision/exit_reason.hpp"

namespace troupe {
namespace {

// Its constructor may open files (R7).
constexpr auto spawn_deadline = std::chrono::seconds{60};

} // namespace

caf::behavior remote_actor::make_behavior() {
  on_exit_message(this, [this](caf::exit_msg& m) {
    if (m.reason == caf::exit_reason::kill || !there_)
      quit(m.reason);
    else
      send_exit(there_, m.reason); // its end brings this one's about
  });
  connect();
  return {[this](const replace_state& word) {
    if (there_)
      troupe::anon_send(there_, word);
  }};
}

void remote_actor::on_exit() {
  there_ = nullptr;
  config_.roles = nullptr;
  caf::event_based_actor::on_exit();
}

// On a thread of its own: it blocks, and this actor has to hear exit messages meanwhile.
void remote_actor::connect() {
  home_system().spawn<caf::detached>(
    [this, self = caf::weak_actor_ptr{ctrl()}, address = config_.node](caf::event_based_actor* dialler) {
      auto where = parse_address(address);
      auto node = where ? connect_node(dialler->home_system(), where->first, where->second, {})
                        : expected<caf::actor>{tl::unexpected(where.error())};
      run_in(self, [this, node] {
        if (node)
          connected(caf::actor_cast<node_actor>(*node));
        else
          give_up(node.error().sentence);
      });
    });
}

void remote_actor::connected(const node_actor& node) {
  auto supervisor = caf::actor_cast<caf::strong_actor_ptr>(config_.notice.supervisor());
  troupe::request(this, node, spawn_deadline,
                  spawn_actor{config_.type, to_string(config_.role), config_.number, supervisor,
                              fingerprint(own_message_types()), config_.argument})
    .then([this](const actor_spawned& answer) { spawned(answer); },
          [this](const caf::error& e) {
            give_up(fmt::format("the node at {} did not start {}: {}", config_.node, to_string(config_.role),
                                caf::to_string(e)));
          });
}

void remote_actor::spawned(const actor_spawned& answer) {
  if (!answer.handle)
    return give_up(fmt::format("the node at {} refuses {}: {}", config_.node, to_string(config_.role), answer.refusal));
  there_ = caf::actor_cast<caf::actor>(answer.handle);
  troupe::monitor(this, there_, [this](const caf::error& reason) {
    if (cause_of(reason).kind != exit_kind::connection_lost)
      return quit(reason);
    config_.on_bad_node();
    quit(reason_of(exit_cause{exit_kind::connection_lost,
                              {fmt::format("the connection to its node at {} was lost", config_.node)}}));
  });
  if (config_.roles)
    config_.roles->bind({config_.role, config_.number, answer.handle});
  config_.notice.ready(caf::actor{this});
}

void remote_actor::give_up(const std::string& sentence) {
  config_.on_bad_node();
  quit(reason_of(failure{sentence})); // the supervisor has this actor's handle
}

} // namespace troupe
