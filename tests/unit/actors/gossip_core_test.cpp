#include "actors/gossip_core.hpp"

#include <catch2/catch_test_macros.hpp>
#include <deque>

using namespace troupe;

namespace {

constexpr uint64_t micro_batches = 8;
constexpr size_t states = 1;

// Peers and what is under way between them.
struct gossips {
  explicit gossips(uint32_t n, gossip_rounds rounds = {.steps_per_epoch = 100}) {
    for (uint32_t i = 0; i < n; ++i) {
      members.push_back({{"agent", i}, {1}});
      members.push_back({{"gossip_peer", i}, {1}});
      peers.emplace_back(members.back(), std::vector<peer_bucket>{{{{1}, {2}}, 96}, {{{0}}, 160}}, states, rounds);
    }
    publish(1);
    for (uint32_t i = 0; i < n; ++i) {
      auto out = gossip_core::actions{};
      REQUIRE(peers[i].on_loaded({0}, {}, out));
      perform(i, out);
    }
    fetched.clear(); // while they had nothing
  }

  void publish(uint64_t number, step current = {}) {
    for (uint32_t i = 0; i < peers.size(); ++i)
      if (alive(i))
        perform(i, peers[i].on_view({{number}, current, members, {}, {number}}));
  }

  bool alive(uint32_t i) const { return std::find(members.begin(), members.end(), peers[i].self()) != members.end(); }

  void push(uint32_t i, uint64_t first, uint64_t last) {
    for (auto& node : sum_tree{micro_batches}.cover(first, last))
      for (auto& bucket : peers[i].buckets())
        for (auto block : bucket.blocks) {
          auto out = gossip_core::actions{};
          const auto at = peers[i].version();
          peers[i].on_push({{{"agent", i}, {1}, {1}}, at, at, block, node, micro_batches, {}}, out);
          perform(i, out);
        }
  }

  // Everybody's part, with the members as of `since`.
  void compute(uint64_t since) {
    auto parts = std::vector<plan_part>{};
    const auto n = members.size() / 2;
    for (size_t i = 0; i < n; ++i)
      parts.push_back({micro_batches * i / n, micro_batches * (i + 1) / n, members[2 * i].role.index});
    for (auto& p : parts) {
      perform(p.rank, peers[p.rank].on_plan({peers[p.rank].version(), {since}, micro_batches, parts}));
      push(p.rank, p.first, p.last);
    }
  }

  void run() {
    while (!wire.empty()) {
      auto [to, p] = wire.front();
      wire.pop_front();
      if (alive(to))
        perform(to, peers[to].on_parameters(p));
    }
  }

  bool commit(uint32_t i, uint64_t since) {
    const auto at = peers[i].version();
    if (!peers[i].on_commit({.view = {since}, .at = at, .version = at, .crew_since = {since}}))
      return false;
    perform(i, peers[i].on_applied());
    return true;
  }

  void perform(uint32_t i, const gossip_core::actions& actions) {
    auto& peer = peers[i];
    for (auto& a : actions)
      if (auto* x = std::get_if<gossip_core::adapt>(&a))
        perform(i, peer.on_adapted(peer.crew_since(), x->bucket));
      else if (auto* s = std::get_if<gossip_core::send>(&a)) {
        auto p = s->what;
        p.values = payload::floats(peer.buckets()[p.bucket].size);
        if (peer.with_state())
          p.state.assign(states, p.values);
        sent[i] += p.values.elements() * (1 + p.state.size());
        met[i].insert(s->to.role.index);
        wire.emplace_back(s->to.role.index, p);
      } else if (auto* m = std::get_if<gossip_core::mix>(&a)) {
        mixes.push_back(m->with.size());
        perform(i, peer.on_mixed(peer.crew_since(), m->bucket));
      } else if (std::get_if<gossip_core::report>(&a))
        reported.insert(i);
      else if (auto* f = std::get_if<gossip_core::fetch_model>(&a))
        fetched.push_back(*f);
  }

  std::vector<member> members;
  std::vector<gossip_core> peers;
  std::deque<std::pair<uint32_t, gossip_parameters>> wire;
  std::map<uint32_t, size_t> sent;
  std::map<uint32_t, std::set<uint32_t>> met;
  std::vector<size_t> mixes;
  std::set<uint32_t> reported;
  std::vector<gossip_core::fetch_model> fetched;
};

} // namespace

TEST_CASE("in each step everybody meets one other, and all others within w - 1 steps; of an odd number one is alone") {
  const auto rounds = gossip_rounds{.steps_per_epoch = 1000};
  for (uint32_t w : {2u, 3u, 4u, 5u, 7u, 8u, 16u}) {
    const auto steps = w % 2 == 0 ? w - 1 : w;
    auto met = std::vector<std::set<uint32_t>>(w);
    for (uint64_t s = 0; s < steps; ++s) {
      uint32_t alone = 0;
      for (uint32_t i = 0; i < w; ++i) {
        const auto partner = rounds.partners({s + 17 * steps}, w, i);
        if (partner.empty()) {
          ++alone;
          continue;
        }
        REQUIRE(partner.size() == 1);
        CHECK(partner[0] != i);
        CHECK(rounds.partners({s + 17 * steps}, w, partner[0]) == std::vector{i});
        met[i].insert(partner[0]);
      }
      CHECK(alone == w % 2);
    }
    for (auto& others : met)
      CHECK(others.size() == w - 1);
  }
  CHECK(rounds.partners({0}, 1, 0).empty());
}

TEST_CASE("all meet before the end of an epoch, a checkpoint and the end of the run, in rank order") {
  const auto rounds = gossip_rounds{.steps_per_epoch = 10, .every = 4, .last = 13};
  auto together = std::vector<uint64_t>{};
  for (uint64_t s = 0; s < 13; ++s)
    if (rounds.partners({s}, 4, 1) == std::vector<uint32_t>{0, 2, 3})
      together.push_back(s + 1);
  CHECK(together == std::vector<uint64_t>{4, 8, 10, 12, 13});
  CHECK_FALSE(rounds.states_alike_at({10}));
  CHECK(rounds.states_alike_at({12}));
  CHECK(rounds.states_alike_at({13}));
  CHECK_FALSE(gossip_rounds{.steps_per_epoch = 10, .last = 10}.states_alike_at({10}));
}

TEST_CASE("a peer sends its replica to one other and takes the mean with it; the step ends when it is committed") {
  auto g = gossips{4};
  g.compute(1);
  CHECK(g.reported.empty());
  g.run();
  CHECK(g.reported.size() == 4);
  for (uint32_t i = 0; i < 4; ++i) {
    CHECK(g.sent[i] == 256);
    CHECK(g.met[i].size() == 1);
    CHECK(g.peers[i].version() == step{0});
    CHECK_FALSE(g.commit(i, 2));
    CHECK(g.commit(i, 1));
    CHECK_FALSE(g.commit(i, 1)); // of the next step there is nothing yet
    CHECK(g.peers[i].version() == step{1});
  }
  CHECK(g.mixes == std::vector<size_t>(8, 1));
  g.compute(1);
  g.run();
  for (uint32_t i = 0; i < 4; ++i) {
    CHECK(g.sent[i] == 2 * 256);
    CHECK(g.met[i].size() == 2); // another one
  }
}

TEST_CASE("where all meet each gets everybody's replica, with the optimiser's state before a checkpoint") {
  auto g = gossips{3, {.steps_per_epoch = 100, .every = 1}};
  g.compute(1);
  g.run();
  CHECK(g.reported.size() == 3);
  CHECK(g.mixes == std::vector<size_t>(6, 2));
  for (uint32_t i = 0; i < 3; ++i)
    CHECK(g.sent[i] == 2 * 2 * 256);
}

TEST_CASE("who is alone in a step goes on with its own update") {
  auto g = gossips{3};
  g.compute(1);
  CHECK(g.reported.size() == 1);
  CHECK(g.sent[*g.reported.begin()] == 0);
  g.run();
  CHECK(g.reported.size() == 3);
}

TEST_CASE("what comes twice, from somebody else, of another size or without state that is due changes nothing (I13)") {
  auto g = gossips{4};
  const auto partner = gossip_rounds{.steps_per_epoch = 100}.partners({0}, 4, 0).front();
  const auto stranger = partner == 1 ? 2u : 1u;
  const auto said = [&](uint32_t who, size_t size, size_t kept = 0) {
    return gossip_parameters{{{"gossip_peer", who}, {1}, {1}},
                             {0},
                             {1},
                             0,
                             payload::floats(size),
                             std::vector<payload>(kept, payload::floats(size))};
  };
  auto& peer = g.peers[0];
  auto dropped = peer.dropped();
  for (const auto& p : {said(stranger, 96), said(partner, 95), said(partner, 96, states)}) {
    peer.on_parameters(p);
    CHECK(peer.dropped() == ++dropped);
  }
  auto zombie = said(partner, 96);
  zombie.from.incarnation = {};
  peer.on_parameters(zombie);
  auto beyond = said(partner, 96);
  beyond.bucket = 2;
  peer.on_parameters(beyond);
  CHECK(peer.dropped() == dropped + 2);
  peer.on_parameters(said(partner, 96));
  CHECK(peer.dropped() == dropped + 2);
  peer.on_parameters(said(partner, 96));
  CHECK(peer.dropped() == dropped + 3);
}

TEST_CASE("when a peer dies inside a step it begins anew with other partners, from the gradients that are kept") {
  auto g = gossips{3};
  g.compute(1);
  g.wire.clear();
  g.reported.clear();
  std::erase_if(g.members, [](auto& m) { return m.role.index == 2; });
  g.publish(2);
  for (uint32_t i : {0u, 1u})
    g.perform(i, g.peers[i].on_plan({{0}, {2}, micro_batches, {{0, 2, 0}, {2, 5, 1}, {5, 8, 0}}}));
  g.push(0, 5, 8); // agent 0 has the lease of the one that is gone
  g.run();
  CHECK(g.reported == std::set<uint32_t>{0, 1});
  CHECK_FALSE(g.commit(0, 1));
  CHECK(g.commit(0, 2));
}

TEST_CASE("a result whose commit was lost counts after the members have changed, and nothing is fetched") {
  auto g = gossips{3};
  g.compute(1);
  g.run();
  CHECK(g.commit(0, 1));
  g.reported.clear();
  std::erase_if(g.members, [](auto& m) { return m.role.index == 2; });
  g.publish(2, {1});
  CHECK(g.reported == std::set<uint32_t>{1});
  CHECK(g.fetched.empty());
  CHECK(g.commit(1, 1));
  CHECK(g.peers[1].version() == step{1});
  // Both are in the next step with the new members.
  g.compute(2);
  g.run();
  CHECK(g.commit(0, 2));
  CHECK(g.commit(1, 2));
}

TEST_CASE("who is behind and has no result takes the replica of another one, and who comes back may ask another") {
  auto g = gossips{3};
  g.publish(2, {1});
  REQUIRE(g.fetched.size() == 3);
  const auto first = g.fetched[0].from;
  CHECK(first != g.peers[0].self());
  CHECK(g.fetched[0].version == step{1});
  g.peers[0].on_tick(); // something has come since the last
  g.fetched.clear();
  g.perform(0, g.peers[0].on_tick());
  REQUIRE(g.fetched.size() == 1);
  CHECK(g.fetched[0].from != first);
  CHECK(g.fetched[0].from != g.peers[0].self());
  auto out = gossip_core::actions{};
  CHECK_FALSE(g.peers[0].on_loaded({0}, {}, out));
  CHECK(g.peers[0].on_loaded({1}, {}, out));
  CHECK(g.peers[0].version() == step{1});
}

TEST_CASE("what a partner has not heard is sent again: at a steady pace, and when it can be reached") {
  auto g = gossips{2};
  g.compute(1);
  const auto lost = std::exchange(g.wire, {}).size();
  CHECK(lost == 4);
  CHECK(g.peers[0].on_bound({{"gossip_peer", 1}, {2}}).empty()); // one that is not known yet
  g.perform(0, g.peers[0].on_bound(g.peers[1].self()));
  CHECK(g.wire.size() == 2);
  g.perform(1, g.peers[1].on_tick());
  CHECK(g.wire.size() == 2);
  g.perform(1, g.peers[1].on_tick());
  CHECK(g.wire.size() == 4);
  g.run();
  CHECK(g.reported.size() == 2);
}

TEST_CASE("what comes before the view or the step that it belongs to is kept until then") {
  auto g = gossips{2};
  g.compute(1);
  g.run();
  CHECK(g.commit(0, 1));
  g.perform(0, g.peers[0].on_plan({{1}, {1}, micro_batches, {{0, 4, 0}, {4, 8, 1}}}));
  g.push(0, 0, 4);
  g.run(); // peer 1 is not there yet
  CHECK(g.commit(1, 1));
  g.reported.clear();
  g.perform(1, g.peers[1].on_plan({{1}, {1}, micro_batches, {{0, 4, 0}, {4, 8, 1}}}));
  g.push(1, 4, 8);
  CHECK(g.reported == std::set<uint32_t>{1});
}

TEST_CASE("when the run goes back, what was made since is void") {
  auto g = gossips{2};
  g.compute(1);
  g.run();
  auto back = view_changed{{3}, {0}, g.members, {3}, {1}};
  g.perform(0, g.peers[0].on_view(back));
  CHECK_FALSE(g.peers[0].loaded());
  CHECK_FALSE(g.commit(0, 1));
  auto out = gossip_core::actions{};
  CHECK(g.peers[0].on_loaded({0}, {3}, out));
  const auto dropped = g.peers[0].dropped();
  g.peers[0].on_parameters({{{"gossip_peer", 1}, {1}, {1}}, {0}, {1}, 0, payload::floats(96), {}});
  CHECK(g.peers[0].dropped() == dropped + 1);
}
