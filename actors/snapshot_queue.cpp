#include "actors/snapshot_queue.hpp"

#include <caf/error.hpp>
#include <cstring>
#include <fmt/format.h>

#include "messages/caf.hpp"

namespace troupe {

void snapshot_queue::deliver(gpu::stream& s, const life& now, step version, const payload& values,
                             const std::vector<payload>& state) {
  auto still = decltype(waiting_){};
  for (auto& [what, answer] : waiting_) {
    if (what.version > version) {
      still.emplace_back(what, std::move(answer));
      continue;
    }
    if (what.version < version) {
      answer.deliver(caf::make_error(caf::sec::runtime_error, fmt::format("the version is {} already", version.value)));
      continue;
    }
    auto copies = std::vector<payload>{};
    if (what.with_state)
      for (auto& from : state) {
        copies.push_back(payload::floats(from.elements()));
        s.enqueue([from, to = copies.back()]() mutable { std::memcpy(to.mutable_data(), from.data(), from.bytes()); });
      }
    const auto key = next_++;
    copying_.emplace(key, std::move(answer));
    s.on_complete([this, now, key, version, values, copies] {
      now.post([this, key, version, values, copies] {
        copying_.extract(key).mapped().deliver(shard_snapshot{version, values, copies});
      });
    });
  }
  waiting_ = std::move(still);
}

} // namespace troupe
