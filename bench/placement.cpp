// Where keys go, and how many move when a host joins or leaves: the hash ring beside its simpler rivals.
//   build/release/bin/bench_placement [KEYS]
// Balance: the most that a host has, over the mean. Moved: the part of the keys that are elsewhere afterwards, over the
// least that must be, medians over 100 pairs of host lists.

#include <algorithm>
#include <cstdlib>
#include <fmt/format.h>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "actors/hash_ring.hpp"

namespace {

using namespace troupe;
using hosts = std::vector<uint32_t>;
using places = std::vector<uint32_t>;

hash_ring ring_of(const hosts& all, uint32_t points) {
  auto result = hash_ring{points};
  for (auto h : all)
    result.add(h);
  return result;
}

places ring(const hosts& all, uint32_t keys, uint32_t points) {
  auto r = ring_of(all, points);
  auto result = places{};
  for (uint32_t k = 0; k < keys; ++k)
    result.push_back(r.owner(k));
  return result;
}

places modulo(const hosts& all, uint32_t keys) {
  auto result = places{};
  for (uint32_t k = 0; k < keys; ++k)
    result.push_back(all[k % all.size()]);
  return result;
}

places ranges(const hosts& all, uint32_t keys) {
  auto result = places{};
  for (uint32_t k = 0; k < keys; ++k)
    result.push_back(all[uint64_t{k} * all.size() / keys]);
  return result;
}

double median(std::vector<double> x) {
  std::nth_element(x.begin(), x.begin() + static_cast<ptrdiff_t>(x.size() / 2), x.end());
  return x[x.size() / 2];
}

double balance(const places& where, size_t n) {
  auto load = std::map<uint32_t, double>{};
  for (auto h : where)
    ++load[h];
  auto most = std::max_element(load.begin(), load.end(), [](auto& a, auto& b) { return a.second < b.second; });
  return most->second * static_cast<double>(n) / static_cast<double>(where.size());
}

double moved(const places& a, const places& b) {
  double n = 0;
  for (size_t k = 0; k < a.size(); ++k)
    n += a[k] != b[k];
  return n / static_cast<double>(a.size());
}

} // namespace

int main(int count, char** arguments) {
  const auto keys = static_cast<uint32_t>(count > 1 ? std::atoi(arguments[1]) : 1000);
  const std::vector<std::pair<std::string, std::function<places(const hosts&, const places&)>>> ways{
    {"ring, 100 points, bounded loads",
     [&](const hosts& h, const places& before) { return ring_of(h, 100).place(keys, before); }},
    {"ring, 100 points", [&](const hosts& h, const places&) { return ring(h, keys, 100); }},
    {"ring, 1 point", [&](const hosts& h, const places&) { return ring(h, keys, 1); }},
    {"modulo", [&](const hosts& h, const places&) { return modulo(h, keys); }},
    {"ranges", [&](const hosts& h, const places&) { return ranges(h, keys); }}};
  fmt::print("{} keys\n{:<34}{:>6}{:>10}{:>12}{:>12}\n", keys, "", "hosts", "balance", "join", "leave");
  for (const uint32_t n : {4, 8, 16})
    for (const auto& [name, place] : ways) {
      std::vector<double> even;
      std::vector<double> joined;
      std::vector<double> left;
      for (uint32_t trial = 0; trial < 100; ++trial) {
        hosts all;
        for (uint32_t i = 0; i < n; ++i)
          all.push_back(trial * 100 + i);
        const auto before = place(all, {});
        auto more = all;
        more.push_back(trial * 100 + n);
        auto fewer = all;
        fewer.erase(fewer.begin() + trial % n);
        even.push_back(balance(before, n));
        joined.push_back(moved(before, place(more, before)) * (n + 1));
        left.push_back(moved(before, place(fewer, before)) * n);
      }
      fmt::print("{:<34}{:>6}{:>10.2f}{:>10.2f} x{:>10.2f} x\n", name, n, median(even), median(joined), median(left));
    }
}
