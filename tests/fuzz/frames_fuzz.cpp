// Files of frames: a checkpoint's, a ledger's, a lock journal's. The first byte says whether the others are such a file
// or, with a checksum that holds, what a ledger's frame or a lock's has in it. Boost's archives are not read here: they
// stand nothing hostile, and are only parsed where the checksum of the whole checkpoint holds.

#include "actors/ledger_record.hpp"
#include "actors/lock_record.hpp"
#include "learn/checkpoint/frame.hpp"
#include "tests/fuzz/target.hpp"

namespace troupe::fuzz {
namespace {

void read_frames(std::span<const std::byte> input) {
  const auto file = file_of{input};
  for (const auto kind : {learn::frame_kind::manifest, learn::frame_kind::tensor, learn::frame_kind::ledger}) {
    auto in = learn::input_file::open(file.path());
    if (!in)
      broken(in.error().sentence);
    auto frames = learn::frame_reader{std::move(*in)};
    auto floats = bytes(16);
    if (kind == learn::frame_kind::tensor)
      while (!frames.at_end() && frames.into(kind, floats))
        ;
    else
      while (!frames.at_end())
        if (const auto text = frames.text(kind); !text || text->size() > input.size())
          break;
  }
}

} // namespace

void read(std::span<const std::byte> input) {
  if (input.empty())
    return;
  const auto rest = input.subspan(1);
  switch (std::to_integer<int>(input.front()) % 3) {
  case 0:
    return read_frames(rest);
  case 1:
    if (const auto r = ledger_record_from(rest)) {
      auto frame = bytes{};
      append_frame(frame, *r);
    }
    return;
  default:
    const auto text = std::string{reinterpret_cast<const char*>(rest.data()), rest.size()};
    if (const auto r = lock_record_from(text); r && lock_record_from(to_text(*r)).value() != *r)
      broken("a line of the lock's journal that was read and written is another one when it is read again");
  }
}

std::vector<bytes> seeds() {
  auto file = bytes{std::byte{0}};
  append_frame(file, ledger_step{{3}, {1}, false, {{0, 1, {2}, {1}, 99}}});
  append_frame(file, ledger_rewind{{2}, {4}});
  auto entry = bytes{std::byte{1}};
  entry.insert(entry.end(), file.begin() + 1 + sizeof(learn::frame_header), file.end());
  return {file, entry,
          bytes_of("\x02" + to_text({lock_record::event::granted,
                                     {7},
                                     "checkpoint",
                                     {{"coordinator", 0}, {1}},
                                     5,
                                     std::chrono::milliseconds{500}}))};
}

} // namespace troupe::fuzz
