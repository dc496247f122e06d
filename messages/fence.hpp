#pragma once

#include <cstdint>

#include "messages/ids.hpp"

namespace troupe {

/// What guards a resource that is used under a lock (I6): hand it the token with every use. Who lost the lock without
/// noticing, because it stood still for longer than its lease, comes with a lower token than its successor's and is
/// refused. One per resource, kept as long as the resource.
class fence {
public:
  /// Whether the bearer may use the resource: nobody with a higher token has used it.
  [[nodiscard]] bool accepts(fencing_token token) {
    if (token < highest_) {
      ++refused_;
      return false;
    }
    highest_ = token;
    return true;
  }

  [[nodiscard]] fencing_token highest() const { return highest_; }
  [[nodiscard]] uint64_t refused() const { return refused_; }

private:
  fencing_token highest_;
  uint64_t refused_ = 0;
};

} // namespace troupe
