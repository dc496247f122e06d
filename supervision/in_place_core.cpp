#include "supervision/in_place_core.hpp"

namespace troupe {

in_place_core::fate in_place_core::on_failure(during what) {
  waits_ = true;
  if (what == during::callback) // whatever is kept has not been tried again
    return fate::none;
  if (what == during::request) {
    ++counts_.refused;
    return fate::refuse;
  }
  if (++failures_ < attempts_)
    return fate::keep;
  failures_ = 0;
  ++counts_.quarantined;
  return fate::quarantine;
}

bool in_place_core::on_replace(incarnation next) {
  if (!waits_ || next <= number_)
    return false;
  number_ = next;
  waits_ = false;
  ++counts_.lives;
  return true;
}

bool in_place_core::on_retry() {
  if (failures_ == 0)
    return false;
  ++counts_.retries;
  return true;
}

} // namespace troupe
