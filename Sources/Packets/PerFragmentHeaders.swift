/// The headers of an IPv6 packet that every fragment of it has, too (RFC 8200 §4.5, "Per-Fragment headers"),
/// and the Fragment header behind them, if there is one.
struct PerFragmentHeaders: Sendable {
  /// In bytes, the fixed header included.
  private(set) var length = IPv6Header.length
  /// Where the byte is that names the header behind them.
  private(set) var nextHeaderField = 6
  private(set) var fragment: FragmentHeader?

  struct FragmentHeader: Sendable {
    static let number: UInt8 = 44
    static let length = 8
    let nextHeader: UInt8
    /// In bytes.
    let offset: Int
    let moreFragments: Bool
    let identification: UInt32
  }

  /// - Returns: nil where an extension header is cut short.
  init?(_ packet: borrowing IPv6) {
    let bytes = packet.bytes
    var (number, field, start) = (packet.nextHeader, nextHeaderField, length)
    while let size = PacketFields.extensionHeaderSize(number, bytes, start, bytes.byteCount) {
      guard size > 0 else { return nil }
      if number == FragmentHeader.number {
        (length, nextHeaderField) = (start, field)
        fragment = FragmentHeader(bytes, at: start)
        return
      }
      // Up to the Routing header, else to the Hop-by-Hop Options: those are read on the way.
      if number == 43 || number == 0 { (length, nextHeaderField) = (start + size, start) }
      number = bytes.integer(at: start)
      (field, start) = (start, start + size)
    }
  }

  /// These headers as they are in the packet, but for what follows: `count` bytes that begin with `nextHeader`.
  func rewritten(in packet: RawSpan, nextHeader: UInt8, followedBy count: Int) -> [UInt8] {
    var headers = packet.extracting(first: length).byteArray
    let payloadLength = UInt16(length - IPv6Header.length + count)
    headers[4] = UInt8(payloadLength >> 8)
    headers[5] = UInt8(payloadLength & 0xff)
    headers[nextHeaderField] = nextHeader
    return headers
  }
}

extension PerFragmentHeaders.FragmentHeader {
  fileprivate init(_ bytes: RawSpan, at start: Int) {
    let field: UInt16 = bytes.integer(at: start + 2)
    nextHeader = bytes.integer(at: start)
    offset = Int(field & 0xfff8)
    moreFragments = field & 1 != 0
    identification = bytes.integer(at: start + 4)
  }

  /// As on the wire.
  var bytes: [UInt8] {
    let field = UInt16(offset) | (moreFragments ? 1 : 0)
    let identification = (0..<4).map { UInt8(truncatingIfNeeded: self.identification >> (24 - 8 * $0)) }
    return [nextHeader, 0, UInt8(field >> 8), UInt8(field & 0xff)] + identification
  }
}
