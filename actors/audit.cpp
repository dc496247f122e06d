#include "actors/audit.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <optional>
#include <set>
#include <span>

#include "actors/ledger.hpp"
#include "learn/checkpoint/frame.hpp"

namespace troupe {
namespace {

namespace fs = std::filesystem;

constexpr size_t most_findings = 20;

/// The steps that took effect, from the records of all files.
class book {
public:
  explicit book(audit_report& r) : report_(r) {}

  void read(const fs::path& path) {
    auto in = learn::input_file::open(path);
    if (!in)
      return find(in.error().sentence);
    auto frames = learn::frame_reader{std::move(*in)};
    for (auto count = 0; !frames.at_end(); ++count) {
      auto payload = frames.text(learn::frame_kind::ledger);
      auto record = payload.and_then([](auto& p) { return ledger_record_from(std::as_bytes(std::span{p})); });
      if (!record) {
        // A torn end is what a run that was cut short has left. If it mattered, steps are missing.
        notes_.push_back(record.error().sentence);
        return;
      }
      if (count == 0 && !std::holds_alternative<ledger_head>(*record))
        return find(fmt::format("{} does not begin as a ledger does", path.string()));
      std::visit([this](auto& r) { take(r); }, *record);
    }
  }

  void check() {
    if (steps_.empty())
      return;
    auto last = steps_.rbegin()->first;
    report_.epochs =
      static_cast<double>(last + 1 - report_.first) / static_cast<double>(learn::steps_per_epoch(head_->sizes));
    for (auto at = report_.first; at <= last; ++at)
      check(at);
    report_.incarnations = agents_.size();
    if (!report_.is_good())
      for (auto& n : notes_)
        find(n);
  }

  [[nodiscard]] bool has_begun() const { return head_.has_value(); }

private:
  void take(const ledger_head& h) {
    if (!head_)
      report_.first = h.first.value;
    head_ = h;
    ++report_.begun;
    supersede(h.first);
  }
  void take(const ledger_rewind& r) {
    ++report_.rewinds;
    supersede(r.to);
  }
  void take(const ledger_step& s) { steps_[s.at.value].push_back(s); }

  void supersede(step from) {
    auto gone = steps_.lower_bound(from.value);
    report_.superseded += static_cast<uint64_t>(std::distance(gone, steps_.end()));
    steps_.erase(gone, steps_.end());
    report_.first = std::min(report_.first, from.value);
  }

  void check(uint64_t at) {
    auto& sizes = head_->sizes;
    auto found = steps_.find(at);
    if (found == steps_.end()) {
      report_.missing += learn::samples_of_step(sizes, at);
      return find(fmt::format("step {} is missing", at + 1));
    }
    ++report_.steps;
    report_.skipped += found->second.front().skipped ? 1 : 0;
    if (found->second.size() > 1)
      find(fmt::format("step {} took effect {} times", at + 1, found->second.size()));
    auto total = learn::micro_batches_of_step(sizes, at);
    auto effects = std::vector<uint64_t>(total);
    for (auto& s : found->second)
      for (auto& e : s.entries) {
        if (e.index >= total) {
          find(fmt::format("step {} has a micro-batch {}, and there are {}", at + 1, e.index, total));
          continue;
        }
        agents_.insert({e.agent, e.incarnation});
        report_.attempts += e.number.value > 1 ? 1 : 0;
        if (e.ids == wanted(at, e.index))
          ++effects[e.index];
        else
          find(fmt::format("micro-batch {} of step {} took other samples than its own (agent/{} #{})", e.index, at + 1,
                           e.agent, e.incarnation.value));
      }
    for (size_t m = 0; m < total; ++m) {
      auto where = learn::positions(sizes, at, m);
      auto n = where.last - where.first;
      report_.samples += effects[m] == 0 ? 0 : n;
      report_.missing += effects[m] == 0 ? n : 0;
      report_.doubled += effects[m] > 1 ? (effects[m] - 1) * n : 0;
      if (effects[m] != 1)
        find(fmt::format("micro-batch {} of step {} took effect {} times", m, at + 1, effects[m]));
    }
  }

  /// The checksum over the ids of a micro-batch's samples.
  uint32_t wanted(uint64_t at, uint64_t index) {
    auto where = learn::positions(head_->sizes, at, index);
    if (epoch_ != where.epoch)
      order_ = learn::sample_order{head_->order, head_->seed, head_->sizes, head_->exchange}.of_epoch(where.epoch);
    epoch_ = where.epoch;
    return learn::crc32c(std::as_bytes(std::span{order_}.subspan(where.first, where.last - where.first)));
  }

  void find(std::string sentence) {
    if (report_.findings.size() < most_findings)
      report_.findings.push_back(std::move(sentence));
  }

  audit_report& report_;
  std::optional<ledger_head> head_; ///< the last one
  std::map<uint64_t, std::vector<ledger_step>> steps_;
  std::set<std::pair<uint32_t, incarnation>> agents_;
  std::vector<std::string> notes_;
  std::optional<uint64_t> epoch_;
  std::vector<uint32_t> order_; ///< of that epoch
};

} // namespace

expected<audit_report> audit_ledger(const fs::path& folder) {
  auto where = find_ledger_files(folder).empty() ? folder / "ledger" : folder;
  auto files = find_ledger_files(where);
  if (files.empty())
    return fail(fmt::format("there is no ledger in {}: name the folder of --ledger or --checkpoint", folder.string()));
  auto report = audit_report{};
  auto all = book{report};
  for (auto n : files)
    all.read(ledger_file(where, n));
  if (!all.has_begun())
    return fail(fmt::format("the ledger in {} cannot be read: {}", where.string(),
                            report.findings.empty() ? "it holds nothing yet" : report.findings.front()));
  all.check();
  return report;
}

std::string to_string(const audit_report& r) {
  auto count = [](uint64_t n, const char* what) { return fmt::format("{} {}{}", n, what, n == 1 ? "" : "s"); };
  auto text = fmt::format("{}, {:.2f} epochs, {}: missing {}, doubled {}\n", count(r.steps, "step"), r.epochs,
                          count(r.samples, "sample"), r.missing, r.doubled);
  if (r.first > 0)
    text += fmt::format("the ledger begins at step {}\n", r.first + 1);
  text += fmt::format("{} of agents; {} took more than one attempt\n", count(r.incarnations, "incarnation"),
                      r.attempts == 1 ? "1 micro-batch" : fmt::format("{} micro-batches", r.attempts));
  text += fmt::format("resumed {}, went back {}; {} took effect anew\n", count(r.begun - 1, "time"),
                      count(r.rewinds, "time"), count(r.superseded, "step"));
  if (r.skipped > 0)
    text += fmt::format("{} changed nothing: the gradient was not finite\n", count(r.skipped, "step"));
  for (auto& f : r.findings)
    text += "  " + f + '\n';
  return text;
}

} // namespace troupe
