import Glibc

/// A network whose addresses are this host's, as its routes have it: those of its interfaces, and what
/// `ip route add local` has made so.
package struct LocalRoute: Hashable, Sendable {
  package var isVersion6: Bool
  /// In network byte order; IPv4 uses the first four bytes.
  package var address: InlineArray<16, UInt8>
  package var length: UInt32

  package static func == (left: LocalRoute, right: LocalRoute) -> Bool {
    left.isVersion6 == right.isVersion6 && left.length == right.length && left.words == right.words
  }

  package func hash(into hasher: inout Hasher) {
    hasher.combine(words.0)
    hasher.combine(words.1)
    hasher.combine(length)
  }

  /// RT_TABLE_LOCAL.
  private static var localTable: UInt8 { 255 }

  private var words: (UInt64, UInt64) {
    unsafe withUnsafeBytes(of: address) { bytes in
      unsafe (
        bytes.loadUnaligned(as: UInt64.self), bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
      )
    }
  }

  /// All that the table `local` of this namespace has, which every packet asks first (ip-rule(8)). What others hold is local
  /// only to the packets that a rule sends there.
  ///
  /// - Parameter netlink: A socket of rtnetlink's with ``NetlinkSocket/askForFilteredDumps()``.
  package static func all(_ netlink: borrowing NetlinkSocket) throws(SystemError) -> Set<LocalRoute> {
    var routes: Set<LocalRoute> = []
    // RTN_LOCAL, and RTN_ANYCAST.
    for (family, type) in [(AF_INET, 2), (AF_INET6, 2), (AF_INET6, 4)] as [(CInt, UInt8)] {
      var request = [UInt8](repeating: 0, count: 12)
      (request[0], request[4], request[7]) = (UInt8(family), localTable, type)
      try netlink.dump(type: 26, request, "list the local routes") { kind, message in
        guard kind == 24, let route = LocalRoute(parsing: message, type) else { return }
        routes.insert(route)
      }
    }
    return routes
  }

  /// A route message: struct rtmsg (12 bytes), then attributes.
  private init?(parsing message: RawSpan, _ type: UInt8) {
    guard message.byteCount >= 12, message.host(at: 7, as: UInt8.self) == type else { return nil }
    let family = CInt(message.host(at: 0, as: UInt8.self))
    var table = UInt32(message.host(at: 4, as: UInt8.self))
    var address = InlineArray<16, UInt8>(repeating: 0)
    message.eachAttribute(from: 12) { type, value in
      if type == 15 { table = value.host(at: 0, as: UInt32.self) }  // RTA_TABLE
      guard type == 1, value.byteCount <= 16 else { return }  // RTA_DST
      for index in 0..<value.byteCount { address[index] = value.host(at: index, as: UInt8.self) }
    }
    guard family == AF_INET || family == AF_INET6, table == UInt32(Self.localTable) else { return nil }
    isVersion6 = family == AF_INET6
    length = UInt32(message.host(at: 1, as: UInt8.self))
    self.address = address
  }
}
