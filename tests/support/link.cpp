#include "tests/support/link.hpp"

#include <algorithm>

namespace troupe::testing {

std::vector<instant> link::send(instant now, carriage how, const fault_mix& conditions, dice& with) {
  if (now < lost_until_)
    return {};
  const bool loose = how == carriage::loose;
  if (loose && with.chance(conditions.loss))
    return {};
  const auto arrival = [&] {
    return std::max(now, held_until_) + with.between(conditions.delay / 10, conditions.delay);
  };
  std::vector<instant> copies{arrival()};
  if (loose && with.chance(conditions.twice))
    copies.push_back(arrival() + conditions.delay * 3);
  if (loose && with.chance(conditions.reorder))
    copies.front() += with.between({}, conditions.delay * 10);
  else
    last_ = copies.front() = std::max(copies.front(), last_ + nanoseconds{1});
  return copies;
}

void link::cut(instant now, nanoseconds time) {
  if (time < connection_patience) {
    held_until_ = std::max(held_until_, now + time);
  } else {
    lost_until_ = std::max(lost_until_, now + time);
    lose();
  }
}

void link::lose() {
  ++connection_;
  last_ = {};
}

} // namespace troupe::testing
