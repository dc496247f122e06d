#include "actors/succession.hpp"

#include <caf/actor_clock.hpp>

namespace troupe {

expected<std::unique_ptr<succession>> succession::begin(runtime& rt, const std::string& standby, data_parallel& run,
                                                        const std::function<void(const std::string&)>& on_note) {
  auto& system = rt.system();
  auto order = run.order();
  auto voters = voters_among(order.nodes.size());
  auto result = std::unique_ptr<succession>(new succession);
  result->claim_ =
    std::make_shared<lead>(leadership::options{order.job, order.term, voters, order.nodes.size() + 1 - voters, false});
  result->claim_->want(true, system.clock().now());
  result->links_ = std::make_unique<voter_links>(system, result->claim_);
  for (auto& node : order.nodes)
    result->links_->add(node, "node");
  result->links_->add(standby, "standby");
  auto feed = standby_feed::begin(
    system, {standby, std::move(order), run.first_state(), run.highest_token(), [on_note](const std::string& sentence) {
               if (on_note)
                 on_note(sentence);
             }});
  if (!feed)
    return tl::unexpected(feed.error());
  result->feed_ = std::move(*feed);
  run.lead_by(result->claim_, result->feed_.get());
  return result;
}

void succession::end(const std::string& how) {
  if (!claim_->is_over())
    feed_->end(how);
}

} // namespace troupe
