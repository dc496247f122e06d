#include "actors/openssl.hpp"

#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <stdexcept>
#include <sys/stat.h>

namespace troupe::openssl {
namespace {

expected<bio> open_to_read(const std::string& path) {
  auto file = bio{BIO_new_file(path.c_str(), "r")};
  ERR_clear_error();
  if (!file)
    return fail(fmt::format("cannot read {}: {}", path, std::strerror(errno)));
  return file;
}

std::string organisation_of(const X509* what) {
  auto* name = X509_get_subject_name(what);
  auto at = X509_NAME_get_index_by_NID(name, NID_organizationName, -1);
  if (at < 0)
    return {};
  auto* text = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)), static_cast<size_t>(ASN1_STRING_length(text))};
}

std::string text_of(const ASN1_OCTET_STRING& address) {
  auto size = ASN1_STRING_length(&address);
  auto text = std::array<char, INET6_ADDRSTRLEN>{};
  auto family = size == 4 ? AF_INET : AF_INET6;
  if ((size != 4 && size != 16) ||
      ::inet_ntop(family, ASN1_STRING_get0_data(&address), text.data(), text.size()) == nullptr)
    return {};
  return text.data();
}

} // namespace

void check(bool good) {
  if (!good)
    throw std::runtime_error("OpenSSL cannot go on: " + last_reason());
}

std::string last_reason() {
  auto code = ERR_peek_last_error();
  ERR_clear_error();
  const auto* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  return reason == nullptr ? "for a reason that it does not name" : reason;
}

void draw(std::span<uint8_t> bytes) {
  check(RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) == 1);
}

expected<certificate> read_certificate(const std::string& path) {
  auto file = open_to_read(path);
  if (!file)
    return tl::unexpected(file.error());
  auto result = certificate{PEM_read_bio_X509(file->get(), nullptr, nullptr, nullptr)};
  ERR_clear_error();
  if (!result)
    return fail(fmt::format("{} holds no certificate: make new ones with `troupe certs`", path));
  return result;
}

expected<key> read_key(const std::string& path) {
  struct stat about {};
  if (::stat(path.c_str(), &about) == 0 && (about.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    return fail(
      fmt::format("{} can be read by others than its owner, and a key must not be: chmod 600 {}", path, path));
  auto file = open_to_read(path);
  if (!file)
    return tl::unexpected(file.error());
  auto no_password = [](char*, int, int, void*) { return 0; };
  auto result = key{PEM_read_bio_PrivateKey(file->get(), nullptr, no_password, nullptr)};
  ERR_clear_error();
  if (!result)
    return fail(
      fmt::format("{} holds no key that can be read without a password: make new ones with `troupe certs`", path));
  return result;
}

certificate_facts facts_of(const X509* what) {
  auto result = certificate_facts{};
  auto size = static_cast<unsigned int>(result.fingerprint.size());
  check(X509_digest(what, EVP_sha256(), result.fingerprint.data(), &size) == 1);
  result.job = organisation_of(what);
  auto names =
    general_names{static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(what, NID_subject_alt_name, nullptr, nullptr))};
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    auto* each = sk_GENERAL_NAME_value(names.get(), i);
    if (each->type == GEN_DNS)
      result.names.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(each->d.dNSName)),
                                static_cast<size_t>(ASN1_STRING_length(each->d.dNSName)));
    else if (each->type == GEN_IPADD)
      result.names.push_back(text_of(*each->d.iPAddress));
  }
  return result;
}

} // namespace troupe::openssl
