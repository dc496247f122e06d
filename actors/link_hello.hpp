#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "messages/failure.hpp"
#include "messages/nodes.hpp"

namespace troupe {

/// SHA-256 of a certificate.
using certificate_fingerprint = std::array<uint8_t, 32>;

/// What a certificate says, once it is known to be of the job's CA.
struct certificate_facts {
  certificate_fingerprint fingerprint{};
  std::string job;                ///< the organisation that it names
  std::vector<std::string> names; ///< hosts and addresses that it is good for

  bool operator==(const certificate_facts&) const = default;
};

/// The first bytes on every connection between two processes, both ways, before CAF reads or writes any: who is there.
/// With TLS they come after its handshake, and have to agree with the certificate that was shown in it.
struct link_hello {
  uint32_t protocol = protocol_version;
  std::string version;                   ///< of Troupe, for the sentence
  std::string job;                       ///< that the certificate is for; empty: there is none
  std::string node;                      ///< one of the certificate's names; empty: there is none
  uint64_t process = 0;                  ///< drawn when the process began to use the network: its incarnation
  std::array<uint8_t, 16> nonce{};       ///< drawn for this connection
  certificate_fingerprint fingerprint{}; ///< of the own certificate; zeros: there is none
  bool has_secret = false;               ///< whether the other side has to know a secret

  bool operator==(const link_hello&) const = default;
};

/// Bytes of a hello at most, and of its beginning, which says how many there are.
inline constexpr size_t most_hello_bytes = 512;
inline constexpr size_t hello_prefix_bytes = 10;

/// Strings that are too long are cut.
std::vector<uint8_t> encode(const link_hello& hello);

/// The whole size of a hello by its first `hello_prefix_bytes`; nothing where that is no hello.
std::optional<size_t> hello_size(std::span<const uint8_t> prefix);

/// Of a hello of another protocol only `protocol` and `version` are read, wherever the rest may be there.
expected<link_hello> decode_hello(std::span<const uint8_t> bytes);

/// Whether a process may talk to the one whose hello this is. `shown` is the certificate of the TLS handshake, null
/// without TLS. Otherwise the reason, as a clause that has "it" for the other side.
expected<void> check(const link_hello& ours, const link_hello& theirs, const certificate_facts* shown);

} // namespace troupe
