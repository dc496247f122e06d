#include "actors/lock_journal.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <fmt/format.h>
#include <vector>

#include "actors/numbered_files.hpp"
#include "learn/checkpoint/frame.hpp"
#include "messages/canary.hpp"

namespace troupe {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view prefix = "journal-";
// A file that has grown to this is begun anew with what is still held (R13).
constexpr size_t most_records = 4096;

fs::path path_of(const fs::path& folder, uint64_t number) {
  return numbered_file(folder, prefix, number);
}

std::vector<uint64_t> find_journals(const fs::path& folder) {
  return find_numbered_files(folder, prefix);
}

std::vector<std::byte> frame_of(const std::string& text) {
  auto payload = std::as_bytes(std::span{text});
  auto header = learn::make_frame_header(learn::frame_kind::lock, payload);
  auto result = std::vector<std::byte>(header.size() + payload.size());
  std::memcpy(result.data(), header.data(), header.size());
  std::memcpy(result.data() + header.size(), payload.data(), payload.size());
  return result;
}

/// The grants of a file over those of the files before. A file whose beginning is not whole says nothing: those before
/// are still there then.
void read_journal(const fs::path& path, lock_state& over) {
  auto in = learn::input_file::open(path);
  if (!in)
    return;
  auto frames = learn::frame_reader{std::move(*in)};
  auto head = frames.text(learn::frame_kind::lock);
  if (!head)
    return;
  auto digits = std::string_view{*head};
  auto count = size_t{0};
  if (std::from_chars(digits.data(), digits.data() + digits.size(), count).ec != std::errc{})
    return;
  auto own = lock_state{over.last, {}};
  auto read = size_t{0};
  for (; !frames.at_end(); ++read) {
    auto text = frames.text(learn::frame_kind::lock);
    auto r = text.and_then([](const std::string& t) { return lock_record_from(t); });
    if (!r)
      break;
    own.apply(*r);
  }
  if (read >= count)
    over = std::move(own);
}

} // namespace

expected<lock_state> lock_journal::open() {
  if (files_ != nullptr && !out_)
    if (auto ok = begin_file(); !ok)
      return tl::unexpected(ok.error());
  return state_;
}

expected<void> lock_journal::append(const lock_record& r) {
  if (r.what == lock_record::event::granted && r.token <= state_.last && !planted(canary::token_reused_after_restart))
    return fail("an earlier life of the lock service has granted more than it told");
  if (files_ == nullptr) {
    state_.apply(r);
    return {};
  }
  auto there = find_journals(folder_);
  if (number_ != 0 && !there.empty() && there.back() > number_)
    return taken_over();
  if (!out_ || records_ >= most_records)
    if (auto ok = begin_file(); !ok)
      return ok;
  auto ok = out_->write(frame_of(to_text(r)));
  if (ok && r.what == lock_record::event::granted)
    ok = out_->sync();
  if (!ok) {
    out_.reset();                                 // nothing is known about what of it is on the disk
    state_.last = std::max(state_.last, r.token); // but the token may be
    return ok;
  }
  ++records_;
  state_.apply(r);
  return {};
}

expected<void> lock_journal::begin_file() {
  out_.reset();
  if (auto ok = files_->make_folder(folder_); !ok)
    return ok;
  auto first = number_ == 0;
  auto there = find_journals(folder_);
  auto next = (first && !there.empty() ? there.back() : number_) + 1;
  auto out = files_->claim(path_of(folder_, next));
  for (; first && out && !*out; out = files_->claim(path_of(folder_, next)))
    ++next; // another process was faster
  if (!out)
    return tl::unexpected(out.error());
  if (!*out)
    return taken_over();
  number_ = next;
  auto before = find_journals(folder_); // once more: who wrote there until now writes nothing any more
  std::erase_if(before, [&](uint64_t n) { return n >= next; });
  if (first) {
    for (auto n : before)
      read_journal(path_of(folder_, n), state_);
    state_.last = std::max(state_.last, fencing_token{next << 32});
    highest_ = highest_of(state_.last);
  }
  if (auto ok = write_state(**out).and_then([&] { return files_->sync_folder(folder_); }); !ok)
    return ok;
  for (auto n : before)
    (void)files_->remove(path_of(folder_, n)); // one that stays is read again, and its tokens are lower
  out_ = std::move(*out);
  records_ = state_.held.size();
  return {};
}

expected<void> lock_journal::taken_over() const {
  return fail(fmt::format("another run has taken over {}", folder_.parent_path().string()));
}

expected<void> lock_journal::write_state(learn::file_system::output& out) const {
  auto bytes = frame_of(std::to_string(state_.held.size()));
  for (auto& [name, r] : state_.held) {
    auto frame = frame_of(to_text(r));
    bytes.insert(bytes.end(), frame.begin(), frame.end());
  }
  return out.write(bytes).and_then([&] { return out.sync(); });
}

} // namespace troupe
