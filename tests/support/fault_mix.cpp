#include "tests/support/fault_mix.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace troupe::testing {

fault_mix fault_mix::draw(dice& with, const fault_mix& most) {
  fault_mix result;
  for (auto rate : {&fault_mix::loss, &fault_mix::twice, &fault_mix::reorder, &fault_mix::kills, &fault_mix::crashes,
                    &fault_mix::pauses, &fault_mix::cuts, &fault_mix::disk_faults, &fault_mix::haste}) {
    const bool present = with.below(2) == 0;
    const double share = with.unit();
    result.*rate = present ? most.*rate * share : 0;
  }
  const auto least = std::min(nanoseconds{std::chrono::microseconds{20}}, most.delay);
  result.delay = with.below(2) == 0 ? least : with.between(least, most.delay);
  return result;
}

std::string to_string(const fault_mix& mix) {
  auto text = fmt::format("delay {:.3g} ms", static_cast<double>(mix.delay.count()) / 1e6);
  const auto add = [&](const char* what, double rate, const char* unit) {
    if (rate > 0)
      text += fmt::format(", {} {:.2g}{}", what, rate, unit);
  };
  add("loss", mix.loss, "");
  add("twice", mix.twice, "");
  add("reorder", mix.reorder, "");
  add("kills", mix.kills, "/s");
  add("crashes", mix.crashes, "/s");
  add("pauses", mix.pauses, "/s");
  add("cuts", mix.cuts, "/s");
  add("disk faults", mix.disk_faults, "");
  add("haste", mix.haste, "");
  return text;
}

} // namespace troupe::testing
