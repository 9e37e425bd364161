import Glibc
import Packets

/// What can be said about a packet that a program writes, before routes and rules are asked.
///
/// The library asks before it sends, and the host asks again: it trusts no client.
package enum Reinjection {
  /// Longer is no IP packet: the error is the one that a send buffer of BSD's size gives (EMSGSIZE).
  package static let longestPacket = 65_535

  /// The errno for a packet that divert(4) refuses at once, or nil.
  ///
  /// - Shorter than an IPv4 header: `EINVAL`. Neither IPv4 nor IPv6: `EAFNOSUPPORT`. Longer than
  ///   ``longestPacket``: `EMSGSIZE`.
  /// - Outgoing, and its own length field promises more bytes than were given: `EINVAL`. (Of IPv6 BSD
  ///   compares the payload's length alone, which lets a packet pass that ends up to 40 bytes early; we don't.)
  ///
  /// As on BSD, that is all: bytes behind the packet's own length are cut off, and an incoming packet with
  /// a header that makes no sense is accepted, then dropped like one from the wire.
  @inlinable @inline(__always)
  package static func refusal(of packet: RawSpan, outgoing: Bool) -> CInt? {
    let count = packet.byteCount
    guard count >= 20 else { return EINVAL }
    guard count <= longestPacket else { return EMSGSIZE }
    switch packet.integer(at: 0, as: UInt8.self) >> 4 {
    case 4:
      let length = Int(packet.integer(at: 2, as: UInt16.self))
      return outgoing && length > count ? EINVAL : nil
    case 6:
      let length = 40 + Int(packet.integer(at: 4, as: UInt16.self))
      return outgoing && length > count ? EINVAL : nil
    default: return EAFNOSUPPORT
    }
  }

  /// How long a packet is by its own header: shorter than what was received where a link padded it.
  ///
  /// Never more than there is, and all there is if the header makes no sense.
  @inlinable @inline(__always)
  package static func length(of packet: RawSpan) -> Int {
    let count = packet.byteCount
    guard count >= 20 else { return count }
    let version = packet.integer(at: 0, as: UInt8.self) >> 4
    let length: Int
    if version == 4 {
      length = Int(packet.integer(at: 2, as: UInt16.self))
    } else if version == 6, count >= 40 {
      let payload = Int(packet.integer(at: 4, as: UInt16.self))
      length = payload == 0 ? count : 40 + payload  // 0: a jumbo payload (RFC 2675)
    } else {
      return count
    }
    return length >= 20 && length < count ? length : count
  }
}
