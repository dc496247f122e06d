#include "actors/ledger.hpp"

#include <algorithm>
#include <fmt/format.h>

#include "actors/numbered_files.hpp"

namespace troupe {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view prefix = "ledger-";
constexpr size_t due_bytes = 128 << 10;
constexpr auto nothing = step{UINT64_MAX};
constexpr size_t most_bytes = 64 << 20; // of a disk that stays full (R13)

} // namespace

fs::path ledger_file(const fs::path& folder, uint64_t number) {
  return numbered_file(folder, prefix, number);
}

std::vector<uint64_t> find_ledger_files(const fs::path& folder) {
  return find_numbered_files(folder, prefix);
}

ledger::ledger(fs::path folder, ledger_head first, learn::file_system& files)
  : folder_(std::move(folder)), head_(first), files_(files), from_(first.first) {
  // nop
}

bool ledger::is_due() const {
  auto guard = std::lock_guard{mutex_};
  return gathered_.size() >= due_bytes;
}

bool ledger::is_empty() const {
  auto guard = std::lock_guard{mutex_};
  return gathered_.empty();
}

void ledger::gather(const ledger_record& r, step from) {
  auto guard = std::lock_guard{mutex_};
  if (gathered_.size() >= most_bytes)
    return; // the audit will miss it
  from_ = std::min(from_, from);
  append_frame(gathered_, r);
}

expected<void> ledger::flush() {
  auto bytes = std::vector<std::byte>{};
  auto from = step{};
  {
    auto guard = std::lock_guard{mutex_};
    bytes = std::exchange(gathered_, {});
    from = std::exchange(from_, nothing);
  }
  if (bytes.empty() && from == nothing)
    return {};
  auto ok = write(bytes, from);
  if (!ok) {
    out_.reset(); // nothing is known about what of it is on the disk
    auto guard = std::lock_guard{mutex_};
    bytes.insert(bytes.end(), gathered_.begin(), gathered_.end());
    gathered_ = std::move(bytes);
    from_ = std::min(from_, from);
    return fail(fmt::format("the ledger was not written: {}", ok.error().sentence));
  }
  return {};
}

expected<void> ledger::write(const std::vector<std::byte>& bytes, step from) {
  if (!out_) {
    if (auto ok = files_.make_folder(folder_); !ok)
      return ok;
    auto there = find_ledger_files(folder_);
    auto number = there.empty() ? 1 : there.back() + 1;
    auto out = files_.claim(ledger_file(folder_, number));
    for (; out && !*out; out = files_.claim(ledger_file(folder_, number)))
      ++number; // another process was faster
    if (!out)
      return tl::unexpected(out.error());
    out_ = std::move(*out);
    head_.first = from;
    auto head = std::vector<std::byte>{};
    append_frame(head, head_);
    if (auto ok = out_->write(head).and_then([&] { return files_.sync_folder(folder_); }); !ok)
      return ok;
  }
  return out_->write(bytes).and_then([this] { return out_->sync(); });
}

} // namespace troupe
