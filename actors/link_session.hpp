#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "actors/link_channel.hpp"
#include "actors/link_hello.hpp"
#include "actors/link_settings.hpp"

namespace troupe {

/// The beginning of a connection, on either side, until CAF may have it: TLS's handshake if there is an identity, the
/// hellos, and from each side a proof that it has read the other's and knows the secret. The listening side also waits
/// for the first header of CAF's, so that CAF sees nobody who says no more than the hello. Does not block and has no
/// clock: whoever drives it calls `advance` when the socket is ready, and gives up at its deadline.
class link_session {
public:
  enum class needs { input, output, nothing };

  /// Dials: `host` is who has to be at the other end. Listens: it is empty. Owns the socket from here on.
  link_session(int socket, std::shared_ptr<const link_settings> settings, uint64_t process, std::string host = {});
  ~link_session();
  link_session(const link_session&) = delete;
  link_session& operator=(const link_session&) = delete;

  /// Goes on as far as it can. `nothing`: the connection is through. Otherwise the reason why there will be none, as a
  /// clause that has "it" for the other side.
  expected<needs> advance();

  [[nodiscard]] int socket() const { return channel_->socket(); }
  /// Whether the other side has said something that made sense.
  [[nodiscard]] bool has_begun() const { return at_ != step::look; }
  /// Whether it closed the connection before that, as whoever only looks if somebody listens (`probe_tcp`).
  [[nodiscard]] bool left_silently() const { return left_silently_; }
  /// Once it is through: what to go on with. The socket is the caller's then.
  std::unique_ptr<link_channel> release();

private:
  enum class step { look, shake_hands, send_hello, read_hello, send_proof, read_proof, look_for_frame, through };

  [[nodiscard]] bool dials() const { return !host_.empty(); }
  expected<bool> take_step(needs& wants);
  expected<bool> look(needs& wants);
  expected<bool> shake_hands(needs& wants);
  expected<bool> send(needs& wants);
  expected<bool> receive(size_t bytes, needs& wants);
  expected<bool> read_hello(needs& wants);
  expected<bool> read_proof(needs& wants);
  expected<bool> look_for_frame(needs& wants);
  void prepare(step what);
  step after(step what) const;
  expected<bool> waits(link_channel::result r, needs& wants, const std::string& where) const;
  std::string why_no_handshake() const;
  std::vector<uint8_t> proof(bool of_dialler) const;

  std::unique_ptr<link_channel> channel_;
  std::shared_ptr<const link_settings> settings_;
  std::string host_;
  step at_;
  link_hello ours_;
  std::vector<uint8_t> our_hello_;
  std::vector<uint8_t> their_hello_;
  std::vector<uint8_t> out_; // what is sent in this step
  size_t sent_ = 0;
  bool left_silently_ = false;
  std::vector<uint8_t> in_;
  expected<void> verdict_; // on their hello; said once they have ours
};

} // namespace troupe
