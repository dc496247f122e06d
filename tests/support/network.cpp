// What lies between the hosts of a simulation.

#include <caf/make_actor.hpp>
#include <exception>
#include <fmt/format.h>

#include "messages/caf.hpp"
#include "tests/support/simulation.hpp"

namespace troupe::testing {

/// An actor of another host as one host sees it, for as long as their connection lasts.
class link_proxy : public proxy_base {
public:
  link_proxy(caf::actor_config& cfg, simulation& world, host from, host to, caf::strong_actor_ptr receiver)
    : proxy_base(cfg), world_(world), from_(from), to_(to), connection_(way().connection()),
      life_(world.machines_[from.index].life), receiver_(std::move(receiver)) {}

  [[nodiscard]] const char* name() const override { return "link_proxy"; }

  bool enqueue(caf::mailbox_element_ptr what, caf_context*) override {
    const auto& m = world_.machines_[from_.index];
    const bool sent = m.up && m.life == life_ && way().connection() == connection_ && receiver_;
    if (sent)
      world_.carry(from_, to_, receiver_, std::move(what));
    return sent;
  }

  /// Made by the host as it is now, not before its last boot.
  [[nodiscard]] bool is_current() const { return life_ == world_.machines_[from_.index].life; }

  void kill_proxy(caf_context* context, caf::error reason) override {
    receiver_ = nullptr;
    cleanup(std::move(reason), context);
  }

private:
  link& way() { return world_.line_between(from_, to_).way; }

  simulation& world_;
  host from_;
  host to_;
  uint64_t connection_;
  uint64_t life_;
  caf::strong_actor_ptr receiver_;
};

namespace {

void end_proxy(const caf::strong_actor_ptr& proxy, const caf::error& reason) {
  static_cast<link_proxy*>(caf::actor_cast<caf::abstract_actor*>(proxy))->kill_proxy(nullptr, reason);
}

/// What a connection carries in order: requests, answers and word of ends. The rest the roles can do without.
link::carriage carriage_of(const caf::mailbox_element& what) {
  const bool may_be_lost = what.mid.is_async() && !what.payload.match_elements<caf::exit_msg>() &&
                           !what.payload.match_elements<caf::down_msg>();
  return may_be_lost ? link::carriage::loose : link::carriage::ordered;
}

} // namespace

caf::strong_actor_ptr simulation::proxy(host from, const caf::strong_actor_ptr& actor) {
  if (!actor || dynamic_cast<link_proxy*>(actor->get()) != nullptr)
    return actor;
  const auto to = seat_of(actor->get()).where;
  if (to == from)
    return actor;
  auto& known = line_between(from, to).proxies[actor->id()];
  if (known && static_cast<link_proxy*>(known->get())->is_current())
    return known;
  static const auto node = caf::make_node_id(1, "0102030405060708090A0B0C0D0E0F1011121314");
  caf::actor_config config;
  known =
    caf::make_actor<link_proxy, caf::strong_actor_ptr>(actor->id(), *node, &system(), config, *this, from, to, actor);
  // Word of the actor's end travels too, unless its host ends with it.
  const auto life = machines_[to.index].life;
  actor->get()->attach_functor([this, from, to, life, id = actor->id()](const caf::error& reason) {
    if (!machines_[to.index].up || machines_[to.index].life != life)
      return;
    travel(to, from, [this, from, to, id, reason] {
      auto& proxies = line_between(from, to).proxies;
      if (auto it = proxies.find(id); it != proxies.end()) {
        const auto gone = it->second;
        proxies.erase(it);
        end_proxy(gone, reason);
      }
    });
  });
  return known;
}

void simulation::carry(host from, host to, const caf::strong_actor_ptr& receiver, caf::mailbox_element_ptr what) {
  auto& way = line_between(from, to).way;
  const auto arrivals = way.send(now(), carriage_of(*what), mix_, dice_);
  const auto& s = seat_of(receiver->get());
  if (arrivals.size() != 1)
    trace_.add(now().time_since_epoch(), arrivals.empty() ? trace::kind::loses : trace::kind::doubles, s.shown,
               what->payload);
  const auto sender = proxy(to, what->sender); // an answer takes the way back
  for (const auto arrival : arrivals)
    at(arrival,
       [this, from, to, receiver, sender, mid = what->mid, content = what->payload, connection = way.connection()] {
         if (machines_[to.index].up && line_between(from, to).way.connection() == connection)
           receiver->enqueue(envelope(sender, mid, content), nullptr);
       });
}

void simulation::travel(host from, host to, std::function<void()> f, std::function<void()> lost) {
  auto& way = line_between(from, to).way;
  const auto give_up = [&] {
    if (lost)
      after(connection_patience, lost);
  };
  if (!machines_[to.index].up)
    return give_up();
  const auto arrivals = way.send(now(), link::carriage::ordered, mix_, dice_);
  if (arrivals.empty())
    return give_up();
  at(arrivals.front(), [this, from, to, f = std::move(f), lost = std::move(lost), connection = way.connection()] {
    const bool arrives = machines_[to.index].up && line_between(from, to).way.connection() == connection;
    if (arrives)
      on(to, f);
    else if (lost)
      on(from, lost);
  });
}

/// Both ends notice after a while: whoever monitors an actor at the other one is told.
void simulation::lose_connection(host a, host b, nanoseconds noticed_after) {
  auto proxies = std::make_shared<std::vector<std::pair<host, caf::strong_actor_ptr>>>();
  for (const auto& [from, to] : {std::pair{a, b}, std::pair{b, a}})
    for (auto& [id, each] : std::exchange(line_between(from, to).proxies, {}))
      proxies->emplace_back(from, each);
  after(noticed_after, [this, proxies] {
    for (const auto& [from, each] : *proxies)
      on(from, [&actor = each] { end_proxy(actor, caf::error{caf::exit_reason::remote_link_unreachable}); });
  });
  // What lost its supervisor ends, though not at once: meanwhile it may say things that nobody should heed (T4, I15).
  for (const auto& [where, supervisor] : {std::pair{a, b}, std::pair{b, a}})
    for (const auto& [number, each] : machines_[where.index].wards)
      if (each.supervisor == supervisor)
        after(noticed_after + dice_.between({}, connection_patience), [orphan = each.actor] {
          if (auto actor = caf::actor_cast<caf::strong_actor_ptr>(orphan))
            anon_send_exit(actor, caf::error{caf::exit_reason::user_shutdown});
        });
}

startable simulation::start_on(host where, startable what, mortality may_end) {
  auto id = what.id;
  const auto number = next_start_++;
  const auto launch = [this, where, number, start = std::move(what.start), may_end](host from, const start_context& c) {
    auto result = start(c);
    if (result.child())
      adopt({from, caf::actor_cast<caf::weak_actor_ptr>(result.child())}, where, number, may_end,
            fmt::format("{}#{}", c.id, c.number.value));
    return result;
  };
  return {std::move(id), [this, where, launch](const start_context& c) -> started {
            const auto from = here_;
            if (where == from)
              return launch(from, c);
            const auto lost = [this, where, c] {
              c.notice.failed({fmt::format("{} cannot be reached", machines_[where.index].name)});
            };
            const auto arrived = [this, from, where, launch, c] {
              const auto result = [&]() -> started {
                try {
                  return launch(from, c);
                } catch (const std::exception& e) {
                  return failure{fmt::format("its start function threw: {}", e.what())};
                }
              }();
              travel(where, from, [this, from, result, c] {
                if (result.child())
                  c.notice.ready(reach(from, result.child()));
                else if (result.why())
                  c.notice.failed(*result.why());
              });
            };
            travel(from, where, arrived, lost);
            return started::later();
          }};
}

/// An earlier incarnation that is still there is ended, as on a real node.
void simulation::adopt(const ward& child, host where, uint64_t number, mortality may_end, std::string name) {
  auto& place = machines_[where.index].wards[number];
  if (auto old = caf::actor_cast<caf::strong_actor_ptr>(place.actor))
    anon_send_exit(old, caf::error{caf::exit_reason::kill});
  place = child;
  const auto actor = caf::actor_cast<caf::strong_actor_ptr>(child.actor);
  auto& s = seat_of(actor->get());
  s.may_end = may_end;
  if (!s.named)
    name_actor(actor, std::move(name), may_end);
}

} // namespace troupe::testing
