#include "learn/checkpoint/records.hpp"

#include <algorithm>
#include <boost/archive/text_iarchive.hpp>
#include <boost/archive/text_oarchive.hpp>
#include <boost/serialization/map.hpp>
#include <boost/serialization/string.hpp>
#include <boost/serialization/vector.hpp>
#include <boost/serialization/version.hpp>
#include <fmt/core.h>
#include <locale>
#include <sstream>

#include "learn/checkpoint/frame.hpp"

namespace boost::serialization {

using namespace troupe::learn;

template <class Archive>
void serialize(Archive& ar, tensor_record& x, unsigned) {
  ar& x.block& x.buffer& x.offset& x.floats& x.version;
}

template <class Archive>
void serialize(Archive& ar, shard_index& x, unsigned) {
  ar& x.tensors;
}

template <class Archive>
void serialize(Archive& ar, file_record& x, unsigned) {
  ar& x.name& x.bytes& x.checksum;
}

template <class Archive>
void serialize(Archive& ar, checkpoint_meta& x, unsigned) {
  ar& x.job& x.step& x.epoch& x.cursor& x.weights_sha256;
}

template <class Archive>
void serialize(Archive& ar, manifest& x, unsigned version) {
  ar& x.sequence& x.meta& x.layout_sha256& x.floats& x.state_buffers& x.files;
  if (version > 0) // else it is of a time without tokens
    ar& x.token;
}

} // namespace boost::serialization

BOOST_CLASS_VERSION(troupe::learn::manifest, 1)

namespace troupe::learn {

namespace {

namespace fs = std::filesystem;

template <class Record>
std::string save(const Record& record) {
  std::ostringstream out;
  out.imbue(std::locale::classic()); // whatever the program's locale, no thousands separators
  boost::archive::text_oarchive{out} << record;
  return std::move(out).str();
}

template <class Record>
expected<Record> load(const std::string& text) {
  std::istringstream in{text};
  in.imbue(std::locale::classic());
  try {
    Record record;
    boost::archive::text_iarchive{in} >> record;
    return record;
  } catch (const std::exception& e) { // the library has no other way to say so
    return fail(fmt::format("it was written by another version ({})", e.what()));
  }
}

expected<manifest> read_manifest(const fs::path& folder) {
  auto in = input_file::open(folder / manifest_name);
  if (!in)
    return tl::unexpected(in.error());
  frame_reader frames{std::move(*in)};
  const auto text = frames.text(frame_kind::manifest);
  if (!text)
    return tl::unexpected(text.error());
  if (!frames.at_end())
    return fail(fmt::format("{} is damaged: it has more than one frame", frames.file().path().string()));
  return manifest_from(*text).map_error([&](const failure& why) {
    return failure{fmt::format("cannot read {}: {}", frames.file().path().string(), why.sentence)};
  });
}

/// What the file `latest` names; empty where it cannot be read.
std::string read_latest_name(const fs::path& folder) {
  const auto in = input_file::open(folder / latest_name);
  if (!in || in->size() > 256)
    return {};
  std::string name(in->size(), '\0');
  if (!in->read(0, std::as_writable_bytes(std::span{name})))
    return {};
  return name.substr(0, name.find('\n'));
}

bool is_checkpoint_name(const std::string& name) {
  return name.starts_with("step-") && !name.ends_with(".tmp");
}

} // namespace

std::string to_text(const shard_index& record) {
  return save(record);
}

std::string to_text(const manifest& record) {
  return save(record);
}

expected<shard_index> shard_index_from(const std::string& text) {
  return load<shard_index>(text);
}

expected<manifest> manifest_from(const std::string& text) {
  return load<manifest>(text);
}

std::vector<found_checkpoint> find_checkpoints(const fs::path& folder) {
  std::vector<found_checkpoint> found;
  std::error_code unreadable; // then there are none
  for (fs::directory_iterator at{folder, unreadable}, end; !unreadable && at != end; at.increment(unreadable))
    if (is_checkpoint_name(at->path().filename().string()))
      found.push_back({at->path(), read_manifest(at->path())});
  const std::string latest = read_latest_name(folder);
  // The highest token first: a writer that was superseded and has not noticed changes nothing (I6). Then rank and
  // sequence; the name decides between damaged ones, so that the order is always the same.
  const auto key = [&](const found_checkpoint& c) {
    const std::string name = c.folder.filename().string();
    const uint64_t token = c.manifest ? c.manifest->token : 0;
    return std::tuple{token, name == latest, c.manifest.has_value(), c.manifest ? c.manifest->sequence : 0, name};
  };
  std::sort(found.begin(), found.end(), [&](const auto& a, const auto& b) { return key(a) > key(b); });
  return found;
}

} // namespace troupe::learn
