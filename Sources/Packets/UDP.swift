/// A UDP datagram over bytes that somebody else owns (RFC 768).
public struct UDP: ~Escapable, BitwiseCopyable {
  @usableFromInline let bytes: RawSpan

  /// Checks all that the accessors rely on; after this none of them can trap. Bytes behind the datagram's own
  /// length are not part of it.
  @inlinable @_lifetime(copy bytes)
  public init(_ bytes: RawSpan) throws(FormatError) {
    guard bytes.byteCount >= 8 else { throw .truncated("UDP", has: bytes.byteCount, needs: 8) }
    let length = Int(bytes.integer(at: 4) as UInt16)
    guard (8...bytes.byteCount).contains(length) else { throw .badLength("UDP", length) }
    self.bytes = bytes.extracting(first: length)
  }

  @inlinable public var sourcePort: UInt16 { bytes.integer(at: 0) }
  @inlinable public var destinationPort: UInt16 { bytes.integer(at: 2) }
  /// Header and payload.
  @inlinable public var length: Int { bytes.byteCount }
  /// Zero: none was computed, legal over IPv4 only (RFC 768; RFC 8200 §8.1).
  @inlinable public var checksum: UInt16 { bytes.integer(at: 6) }
  @inlinable public var payload: RawSpan {
    @_lifetime(copy self) get { bytes.extracting(droppingFirst: 8) }
  }
}

/// The same datagram, writable; while it lives, nobody else can touch the bytes.
///
/// Setters correct the checksum, too, if there is one.
public struct MutableUDP: ~Copyable, ~Escapable {
  @usableFromInline var bytes: MutableRawSpan

  @inlinable @_lifetime(&bytes)
  public init(_ bytes: inout MutableRawSpan) throws(FormatError) {
    let length = try UDP(bytes.bytes).length
    self.bytes = bytes._mutatingExtracting(first: length)
  }

  @inlinable public mutating func setSourcePort(_ port: UInt16) { replace(port, at: 0) }
  @inlinable public mutating func setDestinationPort(_ port: UInt16) { replace(port, at: 2) }

  /// To be changed in place; ``MutableIPv4/updateChecksums()`` then corrects the checksum.
  @inlinable public var payload: MutableRawSpan {
    @_lifetime(&self) mutating get { bytes._mutatingExtracting(droppingFirst: 8) }
  }

  /// A UDP checksum of 0 is written as 0xffff (RFC 768).
  @inlinable mutating func replace(_ word: UInt16, at offset: Int) {
    let (old, sum): (UInt16, UInt16) = (bytes.bytes.integer(at: offset), bytes.bytes.integer(at: 6))
    bytes.store(word, at: offset)
    guard sum != 0 else { return }
    let corrected = Checksum.updated(sum, from: old, to: word)
    bytes.store(corrected == 0 ? 0xffff : corrected, at: 6)
  }
}

/// What a UDP header says, as a value, to build datagrams from.
public struct UDPHeader: Equatable, Sendable {
  public var sourcePort: UInt16
  public var destinationPort: UInt16

  public static let length = 8

  public init(sourcePort: UInt16, destinationPort: UInt16) {
    (self.sourcePort, self.destinationPort) = (sourcePort, destinationPort)
  }

  public init(_ datagram: borrowing UDP) {
    self.init(sourcePort: datagram.sourcePort, destinationPort: datagram.destinationPort)
  }

  /// Writes the header without a checksum, which ``Checksum/updateTransport(of:)`` adds once the IP header is
  /// there, too.
  public func write(to bytes: inout MutableRawSpan, payloadLength: Int) throws(FormatError) {
    guard payloadLength >= 0, let total = UInt16(exactly: 8 + payloadLength) else {
      throw .badLength("UDP", 8 + payloadLength)
    }
    guard bytes.byteCount >= Int(total) else {
      throw .truncated("UDP", has: bytes.byteCount, needs: Int(total))
    }
    bytes.store(sourcePort, at: 0)
    bytes.store(destinationPort, at: 2)
    bytes.store(total, at: 4)
    bytes.store(0 as UInt16, at: 6)
  }
}
