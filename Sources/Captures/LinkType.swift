import Packets

/// What stands before the IP packets of a capture, by its number at
/// <https://www.tcpdump.org/linktypes.html>.
package enum LinkType: Equatable, Sendable, BitwiseCopyable {
  case ethernet
  case rawIP
  /// Linux "cooked" capture: of the pseudo-device `any`.
  case cooked, cooked2
  /// A protocol family of 4 bytes, in the byte order of the capturing machine or in that of the network.
  case loopback

  /// - Returns: nil for a link type that is not known here.
  package init?(_ number: UInt32) {
    switch number {
    case 1: self = .ethernet
    // DLT_RAW as some systems number it, LINKTYPE_RAW, LINKTYPE_IPV4, LINKTYPE_IPV6
    case 12, 14, 101, 228, 229: self = .rawIP
    case 113: self = .cooked
    case 276: self = .cooked2
    case 0, 108: self = .loopback
    default: return nil
    }
  }

  /// Where in a frame its IP packet begins; nil: it carries none.
  ///
  /// VLAN tags (IEEE 802.1Q) are passed over: to the interface that the packet belongs to, it came without them.
  package func packetOffset(in frame: RawSpan) -> Int? {
    switch self {
    case .ethernet: Self.packetOffset(in: frame, typeAt: 12, packetAt: 14)
    case .cooked: Self.packetOffset(in: frame, typeAt: 14, packetAt: 16)
    case .cooked2: Self.packetOffset(in: frame, typeAt: 0, packetAt: 20)
    case .rawIP: Self.isIP(frame) ? 0 : nil
    case .loopback: Self.isIPFamily(frame) ? 4 : nil
    }
  }

  private static func packetOffset(in frame: RawSpan, typeAt: Int, packetAt: Int) -> Int? {
    var (typeAt, packetAt) = (typeAt, packetAt)
    while frame.byteCount >= packetAt {
      switch frame.integer(at: typeAt, as: UInt16.self) {
      case 0x0800, 0x86dd: return packetAt
      // two bytes of tag, and then the type of what follows
      case 0x8100, 0x88a8, 0x9100: (typeAt, packetAt) = (packetAt + 2, packetAt + 4)
      default: return nil
      }
    }
    return nil
  }

  private static func isIP(_ packet: RawSpan) -> Bool {
    guard !packet.isEmpty else { return false }
    let version = packet.integer(at: 0, as: UInt8.self) >> 4
    return version == 4 || version == 6
  }

  /// AF_INET is 2 everywhere; AF_INET6 is 24 on NetBSD and OpenBSD, 28 on FreeBSD, 30 on Darwin, 10 on Linux, 23 on
  /// Windows.
  private static func isIPFamily(_ frame: RawSpan) -> Bool {
    guard frame.byteCount >= 4 else { return false }
    let family: UInt32 = frame.integer(at: 0)
    return switch family <= 0xffff ? family : family.byteSwapped {
    case 2, 10, 23, 24, 28, 30: true
    default: false
    }
  }
}
