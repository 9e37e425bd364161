import Glibc

/// The first address of a host (getaddrinfo(3)), of the first version of IP in which it has one.
package func address(ofHost name: String, versions: [UInt8]) -> String? {
  // anything else is a slip of the pen, for which no name server has to be asked (RFC 1123 §2.1)
  let isName = name.utf8.allSatisfy { byte in
    (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte & 0xdf) || [0x2d, 0x2e, 0x5f].contains(byte)
  }
  guard isName, name.contains(where: \.isLetter) else { return nil }
  for version in versions {
    var hints = unsafe addrinfo()
    unsafe hints.ai_family = version == 6 ? AF_INET6 : AF_INET
    var list: UnsafeMutablePointer<addrinfo>?
    guard unsafe getaddrinfo(name, nil, &hints, &list) == 0, let first = unsafe list else { continue }
    defer { unsafe freeaddrinfo(first) }
    var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
    let status = unsafe getnameinfo(
      first.pointee.ai_addr, first.pointee.ai_addrlen, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST)
    guard status == 0 else { continue }
    // without the zone of a link-local one
    let bytes = text.prefix { $0 != 0 && $0 != CChar(UInt8(ascii: "%")) }
    return String(decoding: bytes.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
  return nil
}
