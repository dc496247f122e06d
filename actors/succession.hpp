#pragma once

#include <functional>
#include <memory>
#include <string>

#include "actors/data_parallel.hpp"
#include "actors/standby_feed.hpp"
#include "actors/voter_link.hpp"

namespace troupe {

/// What a leader that has a standby does beside its run: it claims the lead at the nodes, without which nothing
/// commits, and feeds the standby.
class succession {
public:
  /// For a run that has not begun. Blocks. One sentence where the standby is not there or refuses.
  static expected<std::unique_ptr<succession>> begin(runtime& rt, const std::string& standby, data_parallel& run,
                                                     const std::function<void(const std::string&)>& on_note);

  /// The run has ended as the sentence says: nobody has to take over, unless somebody has.
  void end(const std::string& how);

private:
  succession() = default;

  std::shared_ptr<lead> claim_;
  std::unique_ptr<standby_feed> feed_;
  std::unique_ptr<voter_links> links_;
};

} // namespace troupe
