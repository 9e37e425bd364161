import Packets

/// Packets that a packet filter has logged, with what it says of them before.
extension LinkType {
  /// `NFULA_PAYLOAD` (linux/netfilter/nfnetlink_log.h).
  private static let payload: UInt16 = 9

  /// Family, version 0, resource, and attributes, each with its length and its kind before it, filled up to 4 bytes.
  static func packetOffset(inNetfilterLog frame: RawSpan, _ isSwapped: Bool) -> Int? {
    guard frame.byteCount >= 4, frame.integer(at: 1, as: UInt8.self) == 0 else { return nil }
    var position = 4
    while frame.byteCount - position >= 4 {
      let length = Int(frame.integer(at: position, swapped: isSwapped, as: UInt16.self))
      guard length >= 4 else { return nil }
      if frame.integer(at: position + 2, swapped: isSwapped, as: UInt16.self) == payload {
        return frame.byteCount > position + 4 && isIP(frame, at: position + 4) ? position + 4 : nil
      }
      position += (length + 3) & ~3
    }
    return nil
  }

  /// The header begins with its length, which does not count what fills it up to 4 bytes.
  static func packetOffset(inPacketFilterLog frame: RawSpan) -> Int? {
    guard !frame.isEmpty else { return nil }
    let length = Int(frame.integer(at: 0, as: UInt8.self))
    // No system has had a shorter one (4 bytes, two names of 16, and numbers).
    guard length >= 45 else { return nil }
    let packet = (length + 3) & ~3
    return isIP(frame, at: packet) ? packet : nil
  }
}
