#include "actors/shares.hpp"

#include <algorithm>
#include <numeric>

namespace troupe {
namespace {

// Less is noise, and costs bytes: where parts do not fit the sum's tree, an agent has more to push.
constexpr double worth_it = 0.8;

double time_of(const std::vector<uint64_t>& parts, const std::vector<double>& seconds) {
  double longest = 0;
  for (size_t i = 0; i < parts.size(); ++i)
    longest = std::max(longest, static_cast<double>(parts[i]) * seconds[i]);
  return longest;
}

std::vector<uint64_t> equal_parts(uint64_t micro_batches, size_t n) {
  auto result = std::vector<uint64_t>{};
  for (size_t i = 0; i < n; ++i)
    result.push_back(micro_batches * (i + 1) / n - micro_batches * i / n);
  return result;
}

// One for everybody, if there are as many: who computes nothing does not find out that it is fast again. Then each in
// turn to whoever would be done with it first.
std::vector<uint64_t> parts_by_speed(uint64_t micro_batches, const std::vector<double>& seconds) {
  auto first = uint64_t{micro_batches >= seconds.size()};
  auto result = std::vector<uint64_t>(seconds.size(), first);
  for (auto m = first * seconds.size(); m < micro_batches; ++m) {
    size_t best = 0;
    auto done = [&](size_t i) { return static_cast<double>(result[i] + 1) * seconds[i]; };
    for (size_t i = 1; i < seconds.size(); ++i)
      if (done(i) < done(best))
        best = i;
    ++result[best];
  }
  return result;
}

} // namespace

std::vector<uint64_t> shares(uint64_t micro_batches, std::vector<double> seconds) {
  auto known = static_cast<double>(std::count_if(seconds.begin(), seconds.end(), [](double s) { return s > 0; }));
  auto equal = equal_parts(micro_batches, seconds.size());
  if (known == 0)
    return equal;
  auto mean = std::accumulate(seconds.begin(), seconds.end(), 0.0) / known;
  for (auto& s : seconds)
    s = s > 0 ? s : mean;
  if (*std::max_element(seconds.begin(), seconds.end()) == *std::min_element(seconds.begin(), seconds.end()))
    return equal;
  auto by_speed = parts_by_speed(micro_batches, seconds);
  return time_of(by_speed, seconds) < worth_it * time_of(equal, seconds) ? by_speed : equal;
}

uint64_t worth_giving(uint64_t waiting, double seconds, double others) {
  constexpr auto under_way = 0.5; // of a micro-batch, on average
  if (waiting < 2)
    return 0;
  auto own = seconds > 0 ? seconds : others > 0 ? others : 1;
  auto other = others > 0 ? others : own;
  auto time = [&](uint64_t given) {
    auto left = static_cast<double>(waiting - given) + under_way;
    return std::max(left * own, static_cast<double>(given) * other);
  };
  auto best = uint64_t{0};
  for (uint64_t given = 1; given <= waiting; ++given)
    if (time(given) < time(best))
      best = given;
  return time(best) < worth_it * time(0) ? best : 0;
}

} // namespace troupe
