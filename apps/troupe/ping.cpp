#include "apps/troupe/ping.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace troupe::command {

namespace {

constexpr auto here = "here";

std::string name_of(const std::string& address) {
  return address.empty() ? here : address;
}

std::string milliseconds(uint64_t ns) {
  return fmt::format("{:.3f} ms", static_cast<double>(ns) / 1e6);
}

std::string speed(double bytes) {
  return bytes < 1e9 ? fmt::format("{:.1f} MB/s", bytes / 1e6) : fmt::format("{:.2f} GB/s", bytes / 1e9);
}

double microseconds(uint64_t ns) {
  return static_cast<double>(ns) / 1e3;
}

} // namespace

ping_table::ping_table(const std::vector<std::string>& nodes) : width_(std::string{here}.size()) {
  for (const auto& each : nodes)
    width_ = std::max(width_, each.size());
}

std::string ping_table::head() const {
  return fmt::format("{0:{6}}  {1:{6}}  {2:>10}  {3:>10}  {4:>10}  {5:>10}  {7:>10}\n", "from", "to", "min", "median",
                     "p99", "bulk to", width_, "bulk from");
}

std::string ping_table::row(const pinged& link) const {
  const auto& f = *link.figures;
  return fmt::format("{0:{6}}  {1:{6}}  {2:>10}  {3:>10}  {4:>10}  {5:>10}  {7:>10}\n", name_of(link.from), link.to,
                     milliseconds(f.shortest_ns), milliseconds(f.median_ns), milliseconds(f.p99_ns), speed(f.bytes_to),
                     width_, speed(f.bytes_from));
}

std::string to_json(const std::vector<pinged>& links) {
  auto out =
    nlohmann::ordered_json{{"links", nlohmann::ordered_json::array()}, {"failed", nlohmann::ordered_json::array()}};
  for (const auto& link : links) {
    if (!link.figures) {
      out["failed"].push_back({{"from", name_of(link.from)}, {"to", link.to}, {"why", link.figures.error().sentence}});
      continue;
    }
    const auto& f = *link.figures;
    out["links"].push_back({{"from", name_of(link.from)},
                            {"to", link.to},
                            {"min_us", microseconds(f.shortest_ns)},
                            {"median_us", microseconds(f.median_ns)},
                            {"p99_us", microseconds(f.p99_ns)},
                            {"bytes_per_second_to", f.bytes_to},
                            {"bytes_per_second_from", f.bytes_from}});
  }
  return out.dump(2) + '\n';
}

} // namespace troupe::command
