#include "supervision/report.hpp"

#include <fmt/format.h>

namespace troupe {

std::string_view to_string(decision what) {
  switch (what) {
  case decision::restart:
    return "restarts it";
  case decision::replace:
    return "replaces its state";
  case decision::retry:
    return "tries the restart again";
  case decision::leave:
    return "leaves it stopped";
  case decision::drop:
    return "drops it";
  case decision::absorb:
    return "was about to stop it";
  case decision::end_supervisor:
    return "ends with it";
  case decision::escalate:
    return "gives up";
  }
  return "did nothing";
}

std::string to_string(const supervision_report& r) {
  return fmt::format("{} #{} of {} {}: {}; {} {}", r.child, r.number.value, r.supervisor,
                     r.what == decision::replace ? "failed" : "ended", to_string(r.cause), r.supervisor,
                     to_string(r.what));
}

} // namespace troupe
