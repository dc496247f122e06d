#include "actors/lock_record.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <sstream>

namespace troupe {

std::string to_text(const lock_record& r) {
  return fmt::format("{} {} {} {} {} {} {} {}", r.what == lock_record::event::granted ? "granted" : "released",
                     r.token.value, r.lease.count(), r.request, r.who.incarnation.value, r.who.role.index,
                     r.who.role.kind, r.name); // the name last: it may hold anything
}

expected<lock_record> lock_record_from(const std::string& text) {
  auto in = std::istringstream{text};
  auto what = std::string{};
  auto lease = int64_t{0};
  auto r = lock_record{};
  in >> what >> r.token.value >> lease >> r.request >> r.who.incarnation.value >> r.who.role.index >> r.who.role.kind;
  in.get();
  if (!in || (what != "granted" && what != "released"))
    return fail("it was written by another version");
  std::getline(in, r.name, '\0');
  r.what = what == "granted" ? lock_record::event::granted : lock_record::event::released;
  r.lease = std::chrono::milliseconds{lease};
  return r;
}

void lock_state::apply(const lock_record& r) {
  last = std::max(last, r.token);
  if (r.what == lock_record::event::granted)
    held[r.name] = r;
  else if (auto i = held.find(r.name); i != held.end() && i->second.token == r.token)
    held.erase(i);
}

} // namespace troupe
