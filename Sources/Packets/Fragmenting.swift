/// Cuts a packet into fragments of at most `mtu` bytes each (RFC 791 §3.2, RFC 8200 §4.5).
package enum Fragmenting {
  /// - Parameters:
  ///   - packet: From the IP header on; a fragment is cut further. Whether IPv4 permits it (DF) is the caller's
  ///     business.
  ///   - identification: Of the Fragment header that IPv6 packets get, unless they have one. IPv4 packets keep
  ///     theirs.
  /// - Returns: The packet alone where it fits; nil where it cannot be cut: no room for 8 bytes of data beside
  ///   the headers, or a header that cannot be read.
  package static func fragments(
    of packet: RawSpan, mtu: Int, identification: UInt32 = 0
  ) -> [[UInt8]]? {
    if let ip = try? IPv4(packet) {
      return ip.totalLength <= mtu ? [ip.bytes.byteArray] : fragments(of: ip, mtu: mtu)
    }
    guard let ip = try? IPv6(packet) else { return nil }
    guard ip.totalLength > mtu else { return [ip.bytes.byteArray] }
    return fragments(of: ip, mtu: mtu, identification: identification)
  }

  private static func fragments(of ip: borrowing IPv4, mtu: Int) -> [[UInt8]]? {
    let whole = IPv4Header(ip)
    guard let options = optionsOfLaterFragments(ip.options) else { return nil }
    let data = ip.payload.byteArray
    let room = (first: mtu - whole.length, later: mtu - 20 - options.count)
    guard let parts = parts(of: data.count, room) else { return nil }
    var fragments: [[UInt8]] = []
    for part in parts {
      var header = whole
      header.fragmentOffset += part.lowerBound
      if part.lowerBound > 0 { header.options = options }
      if part.upperBound < data.count { header.moreFragments = true }
      guard let fragment = header.packet(carrying: data[part]) else { return nil }
      fragments.append(fragment)
    }
    return fragments
  }

  private static func fragments(
    of ip: borrowing IPv6, mtu: Int, identification: UInt32
  ) -> [[UInt8]]? {
    typealias FragmentHeader = PerFragmentHeaders.FragmentHeader
    guard let headers = PerFragmentHeaders(ip) else { return nil }
    let whole =
      headers.fragment
      ?? FragmentHeader(
        nextHeader: ip.bytes.integer(at: headers.nextHeaderField), offset: 0, moreFragments: false,
        identification: identification)
    let start = headers.fragment == nil ? headers.length : headers.length + FragmentHeader.length
    let data = ip.bytes.extracting(droppingFirst: start).byteArray
    let room = mtu - headers.length - FragmentHeader.length
    guard let parts = parts(of: data.count, (room, room)) else { return nil }
    var fragments: [[UInt8]] = []
    for part in parts {
      let header = FragmentHeader(
        nextHeader: whole.nextHeader, offset: whole.offset + part.lowerBound,
        moreFragments: whole.moreFragments || part.upperBound < data.count,
        identification: whole.identification)
      guard header.offset <= 65528 else { return nil }
      let perFragment = headers.rewritten(
        in: ip.bytes, nextHeader: FragmentHeader.number, followedBy: FragmentHeader.length + part.count)
      fragments.append(perFragment + header.bytes + data[part])
    }
    return fragments
  }

  /// Where to cut so many bytes: all parts but the last are a multiple of 8 long.
  private static func parts(of count: Int, _ room: (first: Int, later: Int)) -> [Range<Int>]? {
    guard room.first >= 8, room.later >= 8 else { return nil }
    var parts: [Range<Int>] = []
    var (start, size) = (0, room.first)
    while count - start > size {
      parts.append(start..<(start + size & ~7))
      (start, size) = (start + size & ~7, room.later)
    }
    return parts + [start..<count]
  }

  /// Those with the copied flag, filled up to a multiple of 4 bytes with End of Options (RFC 791 §3.1).
  private static func optionsOfLaterFragments(_ options: RawSpan) -> [UInt8]? {
    var copied: [UInt8] = []
    var start = 0
    while start < options.byteCount {
      let kind: UInt8 = options.integer(at: start)
      if kind == 0 { break }
      var length = 1
      if kind != 1 {
        guard start + 1 < options.byteCount else { return nil }
        length = Int(options.integer(at: start + 1, as: UInt8.self))
        guard length >= 2, start + length <= options.byteCount else { return nil }
      }
      if kind & 0x80 != 0 { copied += options.extracting(start..<(start + length)).byteArray }
      start += length
    }
    return copied + [UInt8](repeating: 0, count: -copied.count & 3)
  }
}
