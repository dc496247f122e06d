#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "actors/pace.hpp"
#include "learn/order.hpp"
#include "messages/leases.hpp"
#include "messages/membership.hpp"
#include "messages/ring.hpp"
#include "messages/step_set.hpp"

namespace troupe {

/// Who computes which micro-batches: the pure core of the data broker (R1). A step's micro-batches are split into
/// contiguous parts over the agents of the view in rank order, smaller ones for slower agents (see `shares`); where the
/// pace is asynchronous, a step goes to one agent whole, the next one to whoever asks next. Where the data set is cut
/// into shards, an agent's part is the micro-batches of its slot, and those of slots whose agent is not there go to the
/// others. The part of an agent that is gone goes to the others, with the next attempt number. Every micro-batch of a
/// step is leased until the step commits, so no sample is lost (I1).
class broker_core {
public:
  /// How large an agent's part of a step is: equal where the bits of the sum depend on who computes what, so that no
  /// clock is in them.
  enum class parts { by_speed, equal };

  /// `peer_kind`: agents work only with such a peer at their side; empty: there are none.
  broker_core(learn::batch_sizes sizes, step first, pace how = {}, std::string peer_kind = {},
              parts cut = parts::by_speed, learn::exchange_options exchange = {})
    : sizes_(sizes), pace_(how), peer_kind_(std::move(peer_kind)), cut_(cut),
      exchange_(exchange), committed_{first, {}} {}

  /// A lease to hand to an agent.
  struct grant {
    member to;
    lease what;
  };

  /// A word to an agent whose lease may be split.
  struct question {
    member to;
    split_lease what;
  };
  struct answers {
    std::vector<grant> grants;
    std::vector<question> questions;
  };

  /// The members changed: parts of agents that are gone are granted again. Or the run went back: every lease is void.
  std::vector<grant> on_view(const view_changed& v);
  /// An agent asks for work. Asking again gets the same answer.
  std::vector<grant> on_request(const request_lease& r);
  /// An agent is done with its part of a step in which leases may be split, and has time: the one that has most to do
  /// is asked what it has not begun.
  answers on_offer(const offer_help& o);
  /// What it has not begun goes to who has time, with the next attempt number. Nothing hangs on the answer: who hears
  /// nothing asks for its lease again, and gets the rest again.
  answers on_split(const lease_split& s);
  /// An agent's peer or an aggregator asks who contributes what. One who knows of a later view than is known here waits
  /// for it.
  std::optional<step_plan> on_plan_request(const request_plan& r);
  /// Those who waited, as of the last view.
  std::vector<std::pair<role_id, step_plan>> plans_waited_for();
  /// A step took effect: its leases are done. Agents that wait for a whole step may get one.
  std::vector<grant> on_committed(const step_committed& c);

  /// The first step that has not committed, as far as is known here.
  [[nodiscard]] step current() const { return committed_.floor; }
  /// Messages that changed nothing because they were old (I13).
  [[nodiscard]] uint64_t dropped() const { return dropped_; }

private:
  struct part {
    uint64_t first = 0;
    uint64_t last = 0;
    std::optional<member> owner;
    attempt number{1};
  };
  // A step's micro-batches, whoever has them.
  struct parted_step {
    std::vector<part> parts;
    std::map<member, std::vector<size_t>> of; ///< by owner: which parts
    std::map<member, double> idle;            ///< who have done theirs: what a micro-batch takes them
    std::set<member> asked;                   ///< to split their leases
    std::set<member> spent;                   ///< who have nothing to give

    void add(part p);
    void give(size_t index, const std::optional<member>& to);
    [[nodiscard]] uint64_t load(const member& of_whom) const;
  };

  void forget_committed();
  parted_step& plan(step at);
  void cut_by_slots(step at, parted_step& to) const;
  void notice_speed(const request_lease& r);
  std::vector<uint64_t> shares_now(uint64_t micro_batches) const;
  grant make_grant(step at, const member& to, const part& p) const;
  std::vector<grant> answer(const member& who, step at);
  std::vector<question> ask_busy(step at, parted_step& plan) const;
  std::optional<grant> whole_step(const member& who, step from);
  std::vector<grant> serve_waiting();
  bool present(const member& who) const;
  // The agent with the least to do in a plan, preferably the given role.
  std::optional<member> stand_in(const parted_step& plan, const role_id& preferred) const;

  learn::batch_sizes sizes_;
  pace pace_;
  std::string peer_kind_;
  parts cut_;
  learn::exchange_options exchange_;
  step_set committed_;
  view view_;
  view rewound_;
  std::vector<member> agents_; // in rank order
  view crew_since_;
  std::vector<member> peers_; // of agents, or aggregators, in that view
  std::vector<request_plan> early_;
  std::map<step, parted_step> plans_;
  std::map<role_id, double> seconds_;                  // that a micro-batch takes each agent, as far as it matters
  std::map<role_id, std::pair<member, step>> waiting_; // for a whole step: from which one on
  uint64_t dropped_ = 0;
};

} // namespace troupe
