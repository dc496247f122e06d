#include "actors/link_session.hpp"

#include <algorithm>
#include <cassert>
#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

#include "actors/frame_guard.hpp"
#include "actors/link_socket.hpp"
#include "actors/openssl.hpp"
#include "actors/version.hpp"

namespace troupe {
namespace {

using outcome = link_channel::outcome;

constexpr auto tls_handshake_record = std::byte{0x16};
constexpr size_t proof_bytes = 32;

// Wakes the listening side only when so much is there.
void set_least_input(int socket, size_t bytes) {
  auto value = static_cast<int>(bytes);
  ::setsockopt(socket, SOL_SOCKET, SO_RCVLOWAT, &value, sizeof(value));
}

std::string alert_of(const std::string& reason) {
  return fmt::format("it refuses this side's certificate ({})", reason);
}

} // namespace

link_session::link_session(int socket, std::shared_ptr<const link_settings> settings, uint64_t process,
                           std::string host)
  : channel_(std::make_unique<link_channel>(socket)), settings_(std::move(settings)), host_(std::move(host)),
    at_(step::look) {
  prepare_socket(socket);
  limit_silence(socket, settings_->limits.silence);
  ours_.protocol = settings_->protocol;
  ours_.version = troupe_version;
  ours_.process = process;
  ours_.has_secret = !settings_->secret.empty();
  openssl::draw(ours_.nonce);
  if (settings_->identity) {
    auto& facts = settings_->identity->facts();
    ours_.job = facts.job;
    ours_.node = facts.names.front();
    ours_.fingerprint = facts.fingerprint;
  }
  our_hello_ = encode(ours_);
  if (dials())
    prepare(after(step::look));
}

link_session::~link_session() {
  if (!channel_)
    return;
  auto socket = channel_->socket();
  channel_.reset();
  ::close(socket);
}

std::unique_ptr<link_channel> link_session::release() {
  assert(at_ == step::through);
  return std::move(channel_);
}

// -- the order of things ----------------------------------------------------------------------------------------------

expected<link_session::needs> link_session::advance() {
  auto wants = needs::nothing;
  while (at_ != step::through) {
    auto done = take_step(wants);
    if (!done)
      return tl::unexpected(done.error());
    if (!*done)
      return wants;
    prepare(after(at_));
  }
  return needs::nothing;
}

link_session::step link_session::after(step what) const {
  switch (what) {
  case step::look:
    if (settings_->identity)
      return step::shake_hands;
    [[fallthrough]];
  case step::shake_hands:
    return dials() ? step::send_hello : step::read_hello;
  case step::send_hello:
    return dials() ? step::read_hello : step::read_proof;
  case step::read_hello:
    return dials() ? step::send_proof : step::send_hello;
  case step::send_proof:
    return dials() ? step::read_proof : step::look_for_frame;
  case step::read_proof:
    return dials() ? step::through : step::send_proof;
  default:
    return step::through;
  }
}

void link_session::prepare(step what) {
  at_ = what;
  sent_ = 0;
  in_.clear();
  if (what == step::shake_hands)
    channel_ = std::make_unique<link_channel>(socket(), settings_->identity->new_session(socket(), host_));
  else if (what == step::send_hello)
    out_ = our_hello_;
  else if (what == step::send_proof)
    out_ = proof(dials());
  else if (what == step::look_for_frame && channel_->session() == nullptr)
    set_least_input(socket(), frame_guard::header_bytes);
  else if (what == step::through && !dials())
    set_least_input(socket(), 1);
}

expected<bool> link_session::take_step(needs& wants) {
  switch (at_) {
  case step::look:
    return look(wants);
  case step::shake_hands:
    return shake_hands(wants);
  case step::read_hello:
    return read_hello(wants);
  case step::read_proof:
    return read_proof(wants);
  case step::look_for_frame:
    return look_for_frame(wants);
  case step::send_hello: {
    auto done = send(wants);
    if (done && *done && !verdict_) // now they have what they need to say why, too
      return tl::unexpected(verdict_.error());
    return done;
  }
  default:
    return send(wants);
  }
}

// False: to be called again when the socket is ready for what it `wants`.
expected<bool> link_session::waits(link_channel::result r, needs& wants, const std::string& where) const {
  switch (r.what) {
  case outcome::wait_input:
    wants = needs::input;
    return false;
  case outcome::wait_output:
    wants = needs::output;
    return false;
  case outcome::closed:
    return fail(where);
  default:
    return fail(alert_of(channel_->problem()));
  }
}

// -- steps ------------------------------------------------------------------------------------------------------------

// The first byte says which protocol it is.
expected<bool> link_session::look(needs& wants) {
  auto first = std::byte{};
  auto r = channel_->peek({&first, 1});
  left_silently_ = r.what == outcome::closed;
  if (r.what != outcome::moved)
    return waits(r, wants, "it closed the connection and had said nothing");
  auto speaks_tls = first == tls_handshake_record;
  auto speaks_troupe = std::to_integer<uint8_t>(first) == our_hello_.front();
  if (!speaks_tls && !speaks_troupe)
    return fail("it speaks another protocol than Troupe's");
  if (speaks_tls && !settings_->identity)
    return fail("it speaks TLS, and this side does not: start both with --certs, or none");
  if (speaks_troupe && settings_->identity)
    return fail("it speaks without TLS, and this side takes nothing else: start it with --certs");
  return true;
}

expected<bool> link_session::shake_hands(needs& wants) {
  auto r = channel_->shake_hands();
  if (r.what == outcome::moved)
    return true;
  if (r.what == outcome::failed)
    return fail(why_no_handshake());
  return waits(r, wants,
               dials() ? "it closed the connection during the handshake of TLS: is it started without --certs?"
                       : "it closed the connection during the handshake of TLS");
}

std::string link_session::why_no_handshake() const {
  auto& reason = channel_->problem();
  auto verified = SSL_get_verify_result(channel_->session());
  switch (verified) {
  case X509_V_OK:
    break;
  case X509_V_ERR_CERT_HAS_EXPIRED:
    return "its certificate has expired: make it a new one with `troupe certs`";
  case X509_V_ERR_CERT_NOT_YET_VALID:
    return "its certificate is not valid yet: are the clocks of both hosts right?";
  case X509_V_ERR_HOSTNAME_MISMATCH:
  case X509_V_ERR_IP_ADDRESS_MISMATCH:
    return fmt::format("its certificate is not for {}, which was dialled: it is another node, or its certificate needs "
                       "that name, too",
                       host_);
  case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
  case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
  case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
  case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
  case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
  case X509_V_ERR_CERT_SIGNATURE_FAILURE:
  case X509_V_ERR_AKID_SKID_MISMATCH:
    return "its certificate is not of this job's CA";
  default:
    return fmt::format("its certificate is not good: {}", X509_verify_cert_error_string(verified));
  }
  if (reason == "peer did not return a certificate")
    return "it shows no certificate";
  if (reason.find("alert") != std::string::npos)
    return alert_of(reason);
  return fmt::format("its handshake of TLS fails: {}", reason);
}

expected<bool> link_session::send(needs& wants) {
  while (sent_ < out_.size()) {
    auto r = channel_->write(std::as_bytes(std::span{out_}.subspan(sent_)));
    if (r.what != outcome::moved)
      return waits(r, wants, "it closed the connection during the hello");
    sent_ += r.bytes;
  }
  return true;
}

// Takes not a byte more: what comes behind is CAF's.
expected<bool> link_session::receive(size_t bytes, needs& wants) {
  auto have = in_.size();
  while (have < bytes) {
    in_.resize(bytes);
    auto r = channel_->read(std::as_writable_bytes(std::span{in_}.subspan(have)));
    have += r.what == outcome::moved ? r.bytes : 0;
    in_.resize(have);
    if (r.what != outcome::moved)
      return waits(r, wants,
                   !dials()              ? "it closed the connection during the hello"
                   : settings_->identity ? "it closed the connection during the hello: its log says why"
                                         : "it closed the connection during the hello: is it started with --certs? Its "
                                           "log says why");
  }
  return true;
}

expected<bool> link_session::read_hello(needs& wants) {
  if (in_.size() < hello_prefix_bytes)
    if (auto done = receive(hello_prefix_bytes, wants); !done || !*done)
      return done;
  auto size = hello_size(in_);
  if (!size)
    return fail("it speaks another protocol than Troupe's");
  if (auto done = receive(*size, wants); !done || !*done)
    return done;
  auto theirs = decode_hello(in_);
  if (!theirs)
    return tl::unexpected(theirs.error());
  their_hello_ = in_;
  auto shown = certificate_facts{};
  if (channel_->session() != nullptr) {
    auto certificate = openssl::certificate{SSL_get1_peer_certificate(channel_->session())};
    if (!certificate || SSL_get_verify_result(channel_->session()) != X509_V_OK)
      return fail("it shows no certificate");
    shown = openssl::facts_of(certificate.get());
  }
  verdict_ = check(ours_, *theirs, channel_->session() != nullptr ? &shown : nullptr);
  if (dials() && !verdict_)
    return tl::unexpected(verdict_.error());
  return true;
}

// Keyed by the secret, over both hellos with their fresh numbers, so that neither can be played back.
std::vector<uint8_t> link_session::proof(bool of_dialler) const {
  auto text = std::vector<uint8_t>{of_dialler ? uint8_t{1} : uint8_t{2}};
  auto& first = dials() ? our_hello_ : their_hello_;
  auto& second = dials() ? their_hello_ : our_hello_;
  text.insert(text.end(), first.begin(), first.end());
  text.insert(text.end(), second.begin(), second.end());
  auto result = std::vector<uint8_t>(proof_bytes);
  auto size = static_cast<unsigned int>(proof_bytes);
  auto& secret = settings_->secret;
  openssl::check(HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()), text.data(), text.size(),
                      result.data(), &size) != nullptr);
  return result;
}

expected<bool> link_session::read_proof(needs& wants) {
  if (auto done = receive(proof_bytes, wants); !done || !*done)
    return done;
  if (CRYPTO_memcmp(in_.data(), proof(!dials()).data(), proof_bytes) != 0)
    return fail("it does not know the secret of this run");
  return true;
}

expected<bool> link_session::look_for_frame(needs& wants) {
  auto header = std::array<std::byte, frame_guard::header_bytes>{};
  auto r = channel_->peek(header);
  if (r.what != outcome::moved)
    return waits(r, wants, "it closed the connection after the hello");
  if (r.bytes == header.size())
    return true;
  wants = needs::input;
  return false;
}

} // namespace troupe
