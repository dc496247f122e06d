#include <algorithm>
#include <cassert>
#include <fmt/core.h>

#include "learn/checkpoint/checkpoint.hpp"
#include "learn/checkpoint/frame.hpp"
#include "learn/checkpoint/records.hpp"
#include "learn/digest.hpp"
#include "messages/canary.hpp"

namespace troupe::learn {

namespace {

namespace fs = std::filesystem;

fs::path temporary(fs::path path) {
  path += ".tmp";
  return path;
}

/// Writes a file of frames and keeps its size and checksum.
class frame_writer {
public:
  static expected<frame_writer> create(file_system& files, const fs::path& folder, std::string name) {
    auto out = files.create(folder / name);
    if (!out)
      return tl::unexpected(out.error());
    return frame_writer{std::move(*out), std::move(name)};
  }

  expected<void> write(frame_kind kind, std::span<const std::byte> payload) {
    const auto header = make_frame_header(kind, payload);
    for (const std::span<const std::byte> part : {std::span<const std::byte>{header}, payload}) {
      if (auto ok = out_->write(part); !ok)
        return ok;
      record_.bytes += part.size();
      record_.checksum = crc32c(part, record_.checksum);
    }
    return {};
  }

  /// Makes the file durable.
  expected<file_record> finish() {
    if (planted(canary::latest_before_last_shard) && record_.name != manifest_name)
      return record_;
    if (auto ok = out_->sync(); !ok)
      return tl::unexpected(ok.error());
    return record_;
  }

private:
  frame_writer(std::unique_ptr<file_system::output> out, std::string name)
    : out_(std::move(out)), record_{.name = std::move(name), .bytes = 0, .checksum = 0} {}

  std::unique_ptr<file_system::output> out_;
  file_record record_;
};

expected<file_record> write_shard(file_system& files, const fs::path& folder, std::string name, const layout& of,
                                  const checkpoint_shard& blocks) {
  shard_index index;
  std::vector<std::span<const float>> tensors;
  for (const auto& b : blocks) {
    const block& where = of.blocks()[b.index];
    const auto add = [&](uint64_t buffer, std::span<const float> values) {
      assert(values.size() == where.size);
      index.tensors.push_back({b.index, buffer, where.offset, where.size, b.version});
      tensors.push_back(values);
    };
    add(0, b.parameters);
    for (size_t i = 0; i < b.state.size(); ++i)
      add(i + 1, b.state[i]);
  }
  auto out = frame_writer::create(files, folder, std::move(name));
  if (!out)
    return tl::unexpected(out.error());
  const std::string text = to_text(index);
  if (auto ok = out->write(frame_kind::index, std::as_bytes(std::span{text})); !ok)
    return tl::unexpected(ok.error());
  for (const auto values : tensors)
    if (auto ok = out->write(frame_kind::tensor, std::as_bytes(values)); !ok)
      return tl::unexpected(ok.error());
  return out->finish();
}

/// Everything up to the manifest, in a folder that does not count yet.
expected<void> write_content(file_system& files, const fs::path& folder, manifest& content, const layout& of,
                             std::span<const checkpoint_shard> shards) {
  if (auto ok = files.make_folder(folder); !ok)
    return ok;
  for (size_t i = 0; i < shards.size(); ++i) {
    auto written = write_shard(files, folder, fmt::format("shard-{}-of-{}", i, shards.size()), of, shards[i]);
    if (!written)
      return tl::unexpected(written.error());
    content.files.push_back(std::move(*written));
  }
  auto out = frame_writer::create(files, folder, manifest_name);
  if (!out)
    return tl::unexpected(out.error());
  const std::string text = to_text(content);
  if (auto ok = out->write(frame_kind::manifest, std::as_bytes(std::span{text})); !ok)
    return ok;
  if (auto ok = out->finish(); !ok)
    return tl::unexpected(ok.error());
  return files.sync_folder(folder);
}

/// Refuses a writer that has lost the folder to another one (I6).
expected<void> check_token(const fs::path& folder, uint64_t token) {
  for (const auto& other : find_checkpoints(folder))
    if (other.manifest && other.manifest->token > token)
      return fail(fmt::format("another run has taken over {}: the token of its {} is {}, and this run's is {}",
                              folder.string(), other.folder.filename().string(), other.manifest->token, token));
  return {};
}

/// From here on the checkpoint counts.
expected<void> commit(file_system& files, const fs::path& from, const fs::path& to, uint64_t token) {
  const fs::path folder = to.parent_path();
  if (auto ok = files.rename(from, to); !ok)
    return ok;
  if (auto ok = files.sync_folder(folder); !ok)
    return ok;
  if (auto ok = check_token(folder, token); !ok)
    return ok;
  const std::string name = to.filename().string() + '\n';
  const std::span<const std::byte> bytes = std::as_bytes(std::span{name});
  return replace_file(files, folder / latest_name, {&bytes, 1});
}

/// Removes a checkpoint such that none that is half there is ever taken for one.
expected<void> remove_checkpoint(file_system& files, const fs::path& folder) {
  return files.rename(folder, temporary(folder)).and_then([&] { return files.remove(temporary(folder)); });
}

/// All but the newest; the sentence of the first failure, if any.
std::string prune(file_system& files, const fs::path& folder, size_t keep) {
  std::string note;
  size_t kept = 0;
  for (const auto& old : find_checkpoints(folder)) {
    if (!old.manifest || ++kept <= keep)
      continue; // what cannot be read may be somebody's evidence
    if (auto ok = remove_checkpoint(files, old.folder); !ok && note.empty())
      note = fmt::format("an old checkpoint stays: {}", ok.error().sentence);
  }
  return note;
}

/// What attempts that were cut short have left.
expected<void> remove_remains(file_system& files, const fs::path& folder) {
  std::vector<fs::path> remains;
  std::error_code unreadable; // writing will say so
  for (fs::directory_iterator at{folder, unreadable}, end; !unreadable && at != end; at.increment(unreadable)) {
    const std::string name = at->path().filename().string();
    if (name.starts_with("step-") && name.ends_with(".tmp"))
      remains.push_back(at->path());
  }
  for (const auto& path : remains)
    if (auto ok = files.remove(path); !ok)
      return ok;
  return {};
}

/// Usually step-000000123. A step that is there already (a run that was resumed and stopped at once, or another run) is
/// not touched but gets a companion, because it may be the only good one.
fs::path name_for(const fs::path& folder, uint64_t step) {
  fs::path path = folder / fmt::format("step-{:09}", step);
  std::error_code ignored;
  for (int n = 2; fs::exists(path, ignored); ++n)
    path = folder / fmt::format("step-{:09}-{}", step, n);
  return path;
}

/// The blocks' parameters as one flat buffer's digest would be: a slice never leaves its block.
std::string digest_of(const layout& of, std::span<const checkpoint_shard> shards) {
  std::vector<std::span<const float>> blocks(of.blocks().size());
  for (const auto& shard : shards)
    for (const auto& b : shard) {
      assert(blocks[b.index].empty());
      blocks[b.index] = b.parameters;
    }
  return weights_sha256(of, blocks);
}

} // namespace

expected<checkpoint_written> write_checkpoint(const fs::path& folder, checkpoint_meta meta, const layout& of,
                                              std::span<const checkpoint_shard> shards, checkpoint_options options,
                                              file_system& files) {
  const auto void_attempt = [&](const failure& why) {
    return fail(fmt::format("the checkpoint of step {} is not written, the one before is untouched: {}", meta.step,
                            why.sentence));
  };
  const std::string digest = digest_of(of, shards);
  if (!meta.weights_sha256.empty() && meta.weights_sha256 != digest)
    return void_attempt({"the parameters are not the ones that were copied"});
  meta.weights_sha256 = digest;

  if (auto ok = check_token(folder, options.token); !ok)
    return void_attempt(ok.error());
  if (auto ok = files.make_folder(folder).and_then([&] { return remove_remains(files, folder); }); !ok)
    return void_attempt(ok.error());
  manifest content{.sequence = 1,
                   .meta = meta,
                   .layout_sha256 = layout_sha256(of),
                   .floats = of.size(),
                   .state_buffers = shards.front().front().state.size(),
                   .files = {},
                   .token = options.token};
  for (const auto& old : find_checkpoints(folder))
    if (old.manifest)
      content.sequence = std::max(content.sequence, old.manifest->sequence + 1);

  const fs::path path = name_for(folder, meta.step);
  if (auto ok = write_content(files, temporary(path), content, of, shards); !ok) {
    (void)files.remove(temporary(path)); // the first failure is the one to tell; the next attempt removes it else
    return void_attempt(ok.error());
  }
  if (auto ok = commit(files, temporary(path), path, options.token); !ok) {
    (void)remove_checkpoint(files, path);
    (void)files.remove(temporary(path));
    return void_attempt(ok.error());
  }
  checkpoint_written result{
    .folder = path, .bytes = 0, .note = prune(files, folder, std::max<size_t>(options.keep, 2))};
  for (const auto& file : content.files)
    result.bytes += file.bytes;
  return result;
}

std::vector<checkpoint_shard> cut_into_shards(const layout& of, std::span<const float> parameters,
                                              std::span<const std::span<const float>> state, uint64_t version,
                                              size_t shards) {
  const auto blocks = of.blocks();
  std::vector<checkpoint_shard> result;
  const size_t target = (of.size() + shards - 1) / shards;
  for (size_t i = 0; i < blocks.size(); ++i) {
    const block& b = blocks[i];
    if (result.empty() || b.offset >= target * result.size())
      result.emplace_back();
    checkpoint_block view{i, version, parameters.subspan(b.offset, b.size), {}};
    for (const auto buffer : state)
      view.state.push_back(buffer.subspan(b.offset, b.size));
    result.back().push_back(std::move(view));
  }
  return result;
}

} // namespace troupe::learn
