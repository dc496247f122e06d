#pragma once

#include <string>
#include <vector>

#include "actors/ping_nodes.hpp"

namespace troupe::command {

/// What `troupe ping` prints above and for each connection: fixed columns, as wide as the longest address.
class ping_table {
public:
  explicit ping_table(const std::vector<std::string>& nodes);

  [[nodiscard]] std::string head() const;
  /// Of a connection that was measured.
  [[nodiscard]] std::string row(const pinged& link) const;

private:
  size_t width_;
};

/// The same for programs: {"links": […], "failed": […]}, times in microseconds, bandwidth in bytes a second.
std::string to_json(const std::vector<pinged>& links);

} // namespace troupe::command
