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

  /// Overwrites the checksum of an IPv4 header, as happens to every outgoing packet (divert(4)). Leaves
  /// alone what is not IPv4 or has a header longer than the bytes given.
  @inlinable @_lifetime(packet: copy packet)
  package static func setHeaderChecksum(_ packet: inout MutableRawSpan) {
    guard packet.byteCount >= 20 else { return }
    let first = packet.bytes.integer(at: 0, as: UInt8.self)
    let length = Int(first & 15) * 4
    guard first >> 4 == 4, length >= 20, length <= packet.byteCount else { return }
    packet.store(0 as UInt16, at: 10)
    var sum = Self.sum20(packet.bytes)
    var offset = 20
    while offset < length {
      sum += UInt64(packet.bytes.integer(at: offset, as: UInt32.self))
      offset += 4
    }
    sum = (sum & 0xffff_ffff) + (sum >> 32)
    sum = (sum & 0xffff) + (sum >> 16)
    sum = (sum & 0xffff) + (sum >> 16)
    sum = (sum & 0xffff) + (sum >> 16)
    packet.store(~UInt16(truncatingIfNeeded: sum), at: 10)
  }

  /// The sum of the first 20 bytes as 32-bit words: most headers have no more.
  @inlinable @inline(__always)
  static func sum20(_ header: RawSpan) -> UInt64 {
    let first = header.integer(at: 0, as: UInt64.self)
    let second = header.integer(at: 8, as: UInt64.self)
    let third = UInt64(header.integer(at: 16, as: UInt32.self))
    return (first >> 32) + (first & 0xffff_ffff) + (second >> 32) + (second & 0xffff_ffff) + third
  }
}
