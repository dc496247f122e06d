#include <algorithm>
#include <fmt/core.h>
#include <utility>

#include "learn/checkpoint/checkpoint.hpp"
#include "learn/checkpoint/frame.hpp"
#include "learn/checkpoint/records.hpp"
#include "learn/digest.hpp"

namespace troupe::learn {

namespace {

namespace fs = std::filesystem;

constexpr uint64_t most_state_buffers = 8;

/// Floats [first, last) of a buffer that a file has given.
using filled = std::vector<std::pair<uint64_t, uint64_t>>;

expected<void> read_shard(const fs::path& folder, const file_record& wanted, std::span<flat> buffers,
                          std::span<filled> done) {
  auto in = input_file::open(folder / wanted.name);
  if (!in)
    return tl::unexpected(in.error());
  const std::string name = in->path().string();
  if (in->size() != wanted.bytes)
    return fail(fmt::format("{} is damaged: it has {} bytes and the manifest says {}", name, in->size(), wanted.bytes));
  frame_reader frames{std::move(*in)};
  const auto text = frames.text(frame_kind::index);
  if (!text)
    return tl::unexpected(text.error());
  const auto index = shard_index_from(*text);
  if (!index)
    return fail(fmt::format("cannot read {}: {}", name, index.error().sentence));
  for (const auto& t : index->tensors) {
    if (t.buffer >= buffers.size() || t.floats > buffers[t.buffer].size() ||
        t.offset > buffers[t.buffer].size() - t.floats)
      return fail(fmt::format("{} is damaged: it has a tensor that the model has no place for", name));
    if (auto ok = frames.into(frame_kind::tensor,
                              std::as_writable_bytes(buffers[t.buffer].values().subspan(t.offset, t.floats)));
        !ok)
      return ok;
    done[t.buffer].emplace_back(t.offset, t.offset + t.floats);
  }
  if (!frames.at_end() || frames.checksum() != wanted.checksum)
    return fail(fmt::format("{} is damaged: it is not the file that the manifest describes", name));
  return {};
}

bool covers(filled parts, uint64_t size) {
  std::sort(parts.begin(), parts.end());
  uint64_t end = 0;
  for (const auto& [first, last] : parts) {
    if (first != end)
      return false;
    end = last;
  }
  return end == size;
}

expected<checkpoint_read> read_content(const fs::path& folder, const manifest& what, const layout& of) {
  if (what.state_buffers > most_state_buffers)
    return fail(fmt::format("{} is damaged: it would have {} state buffers", folder.string(), what.state_buffers));
  std::vector<flat> buffers;
  for (uint64_t i = 0; i <= what.state_buffers; ++i)
    buffers.emplace_back(of.size());
  std::vector<filled> done(buffers.size());
  for (const auto& file : what.files)
    if (auto ok = read_shard(folder, file, buffers, done); !ok)
      return tl::unexpected(ok.error());
  for (const auto& parts : done)
    if (!covers(parts, of.size()))
      return fail(fmt::format("{} is damaged: its files do not hold every parameter exactly once", folder.string()));
  if (weights_sha256(of, std::as_const(buffers.front()).values()) != what.meta.weights_sha256)
    return fail(fmt::format("{} is damaged: the digest of the weights does not match", folder.string()));
  checkpoint_read result{.meta = what.meta, .parameters = buffers.front(), .state = {}, .folder = folder, .note = {}};
  result.state.assign(buffers.begin() + 1, buffers.end());
  return result;
}

} // namespace

expected<void> check_same_job(const checkpoint_meta& saved, const checkpoint_meta& now) {
  const auto value = [](const checkpoint_meta& meta, const std::string& key) {
    const auto at = meta.job.find(key);
    return at == meta.job.end() ? "not set" : "'" + at->second + "'";
  };
  for (const auto* meta : {&saved, &now})
    for (const auto& [key, ignored] : meta->job)
      if (value(saved, key) != value(now, key))
        return fail(
          fmt::format("the checkpoint is of another job: its {} is {}, and here it is {}; resume with the same "
                      "options or use another folder",
                      key, value(saved, key), value(now, key)));
  return {};
}

bool has_checkpoint(const fs::path& folder) {
  return !find_checkpoints(folder).empty();
}

expected<checkpoint_read> read_latest_checkpoint(const fs::path& folder, const layout& of) {
  const auto candidates = find_checkpoints(folder);
  if (candidates.empty())
    return fail(fmt::format("there is no checkpoint in {}", folder.string()));
  std::string problems;
  for (const auto& candidate : candidates) {
    const fs::path& path = candidate.folder;
    const auto& what = candidate.manifest;
    if (what && (what->layout_sha256 != layout_sha256(of) || what->floats != of.size()))
      return fail(
        fmt::format("{} is a checkpoint of another model: its parameters have other names or shapes", path.string()));
    auto content = what.and_then([&](const manifest& m) { return read_content(path, m, of); });
    if (content) {
      if (!problems.empty())
        content->note =
          fmt::format("the newest checkpoint cannot be used, so {} is: {}", path.filename().string(), problems);
      return content;
    }
    problems += (problems.empty() ? "" : "; ") + content.error().sentence;
  }
  return fail(fmt::format("no checkpoint in {} can be used: {}", folder.string(), problems));
}

} // namespace troupe::learn
