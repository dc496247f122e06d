#include "actors/ring_core.hpp"

#include <catch2/catch_test_macros.hpp>
#include <deque>

using namespace troupe;

namespace {

constexpr uint64_t micro_batches = 8;

// Peers and what is under way between them; a chunk's content is the set of micro-batches in it, by way of `covered`.
struct ring {
  explicit ring(uint32_t n, const std::vector<ring_bucket>& buckets) {
    for (uint32_t i = 0; i < n; ++i) {
      members.push_back({{"agent", i}, {1}});
      members.push_back({{"ring_peer", i}, {1}});
      peers.emplace_back(members.back(), buckets);
    }
    publish(1);
    for (uint32_t i = 0; i < n; ++i) {
      auto out = ring_core::actions{};
      REQUIRE(peers[i].on_loaded({0}, {}, out));
      perform(i, out);
    }
  }

  void publish(uint64_t number) {
    for (uint32_t i = 0; i < peers.size(); ++i)
      if (alive(i))
        perform(i, peers[i].on_view({{number}, {}, members, {}, {number}}));
  }

  bool alive(uint32_t i) const { return std::find(members.begin(), members.end(), peers[i].self()) != members.end(); }

  // The agents' leases: contiguous parts in rank order.
  void push(uint32_t i, uint64_t first, uint64_t last) {
    for (auto& node : sum_tree{micro_batches}.cover(first, last))
      for (auto& bucket : peers[i].buckets())
        for (auto block : bucket.blocks) {
          auto out = ring_core::actions{};
          peers[i].on_push({{{"agent", i}, {1}, {1}}, {0}, {0}, block, node, micro_batches, {}}, out);
          perform(i, out);
        }
  }

  void plan(uint64_t since, const std::vector<plan_part>& parts) {
    for (uint32_t i = 0; i < peers.size(); ++i)
      if (alive(i))
        perform(i, peers[i].on_plan({{0}, {since}, micro_batches, parts}));
  }

  void run() {
    while (!wire.empty()) {
      auto [to, c] = wire.front();
      wire.pop_front();
      if (alive(to))
        perform(to, peers[to].on_chunk(c));
    }
  }

  void perform(uint32_t i, const ring_core::actions& actions) {
    for (auto& a : actions)
      if (auto* x = std::get_if<ring_core::assemble>(&a))
        perform(i, peers[i].on_assembled(peers[i].crew_since(), x->bucket));
      else if (auto* s = std::get_if<ring_core::send>(&a)) {
        auto c = s->what;
        auto size = peers[i].buckets()[c.bucket].size;
        auto range = chunk_range::of(size, peers[i].peers(), c.chunk);
        c.values = payload::floats(range.last - range.first);
        sent[i] += c.values.elements();
        wire.emplace_back(s->to.role.index, c);
      } else if (auto* r = std::get_if<ring_core::reduce>(&a))
        perform(i, peers[i].on_reduced(r->what));
      else if (auto* m = std::get_if<ring_core::measure>(&a))
        measured += peers[i].on_norms(peers[i].crew_since(), m->at, {{{0}, 1, true}});
      else if (std::get_if<ring_core::ask_plan>(&a))
        ++asked;
  }

  std::vector<member> members;
  std::vector<ring_core> peers;
  std::deque<std::pair<uint32_t, ring_chunk>> wire;
  std::map<uint32_t, size_t> sent;
  int measured = 0;
  int asked = 0;
};

std::vector<ring_bucket> two_buckets() {
  return {{{{1}, {2}}, 96}, {{{0}}, 160}};
}

} // namespace

TEST_CASE("every peer gets the whole sum, and sends 2n(w-1)/w") {
  for (uint32_t w : {1u, 2u, 4u}) {
    auto r = ring{w, two_buckets()};
    CHECK(r.asked == static_cast<int>(w));
    auto parts = std::vector<plan_part>{};
    for (uint32_t i = 0; i < w; ++i)
      parts.push_back({micro_batches * i / w, micro_batches * (i + 1) / w, i});
    for (auto& p : parts)
      r.push(p.rank, p.first, p.last);
    r.plan(1, parts);
    r.run();
    CHECK(r.measured == static_cast<int>(w));
    size_t sent = 0;
    for (auto& [i, n] : r.sent)
      sent += n;
    CHECK(sent == 2ul * 256 * (w - 1));
  }
}

TEST_CASE("a chunk begins where vectors are aligned, and chunks are a partition of the bucket") {
  for (size_t size : {16, 96, 1000})
    for (uint32_t w : {1u, 3u, 7u}) {
      size_t at = 0;
      for (uint32_t c = 0; c < w; ++c) {
        auto range = chunk_range::of(size, w, c);
        CHECK(range.first == at);
        CHECK(range.first % 16 == 0);
        at = range.last;
      }
      CHECK(at == size);
    }
}

TEST_CASE(
  "when a peer dies inside a step the ring forms again and the step is reduced from what the others have kept") {
  auto r = ring{3, two_buckets()};
  auto parts = std::vector<plan_part>{{0, 3, 0}, {3, 6, 1}, {6, 8, 2}};
  r.plan(1, parts);
  r.push(0, 0, 3);
  r.push(1, 3, 6);
  r.run(); // peer 2 has not added its part
  CHECK(r.measured == 0);
  std::erase_if(r.members, [](auto& m) { return m.role.index == 2; });
  r.publish(2);
  r.push(1, 6, 8);  // agent 1 has the lease of the one that is gone
  r.plan(1, parts); // late: of the ring before
  r.plan(2, {{0, 3, 0}, {3, 6, 1}, {6, 8, 1}});
  r.run();
  CHECK(r.measured == 2);
}

TEST_CASE("a plan that leaves micro-batches to nobody, or a sum with something missing, is not applied (R4)") {
  auto r = ring{2, two_buckets()};
  r.push(0, 0, 4);
  r.plan(1, {{0, 4, 0}});
  r.run();
  CHECK(r.measured == 0);
  CHECK_FALSE(r.peers[0].on_commit({.view = {1}, .at = {0}, .version = {0}, .crew_since = {1}}));
  CHECK(r.peers[0].dropped() > 0);
}

TEST_CASE("a commit of another ring's sum is not applied, and a peer that is behind gets the model from another one") {
  auto r = ring{2, two_buckets()};
  r.push(0, 0, 4);
  r.push(1, 4, 8);
  r.plan(1, {{0, 4, 0}, {4, 8, 1}});
  r.run();
  CHECK_FALSE(r.peers[0].on_commit({.view = {1}, .at = {0}, .version = {0}, .crew_since = {}}));
  CHECK(r.peers[0].on_commit({.view = {1}, .at = {0}, .version = {0}, .crew_since = {1}}));
  r.peers[0].on_applied();
  CHECK(r.peers[0].version() == step{1});
  auto behind = r.peers[1].on_view({{1}, {1}, r.members, {}, {1}});
  REQUIRE(behind.size() == 1);
  auto* fetch = std::get_if<ring_core::fetch_model>(&behind[0]);
  REQUIRE(fetch);
  CHECK(fetch->from == r.peers[0].self());
  CHECK(fetch->version == step{1});
}

TEST_CASE("what was sent to the next peer before it could be reached is sent again when it can") {
  auto r = ring{2, two_buckets()};
  r.push(0, 0, 4);
  r.plan(1, {{0, 4, 0}, {4, 8, 1}});
  r.wire.clear();
  CHECK(r.peers[0].on_bound({{"ring_peer", 1}, {2}}).empty()); // of a ring that is not known yet
  CHECK(r.peers[0].on_bound(r.peers[0].self()).empty());
  auto again = r.peers[0].on_bound(r.peers[1].self());
  REQUIRE(again.size() == 2); // a chunk of each bucket
  CHECK(std::get<ring_core::send>(again[0]).to == r.peers[1].self());
}
