extension RawSpan {
  /// The big-endian (network byte order) integer at a byte offset; traps outside the span.
  @inlinable @inline(__always)
  public func integer<Integer: FixedWidthInteger & BitwiseCopyable>(
    at offset: Int, as type: Integer.Type = Integer.self
  ) -> Integer {
    unsafe Integer(bigEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: Integer.self))
  }
}

extension MutableRawSpan {
  /// Stores an integer in network byte order; traps outside the span.
  @inlinable @inline(__always) @_lifetime(self: copy self)
  public mutating func store<Integer: FixedWidthInteger & BitwiseCopyable>(_ value: Integer, at offset: Int) {
    storeBytes(of: value.bigEndian, toByteOffset: offset, as: Integer.self)
  }
}

extension RawSpan {
  /// A copy.
  public var byteArray: [UInt8] { unsafe withUnsafeBytes { unsafe Array($0) } }
}

extension MutableRawSpan {
  /// Stores bytes as they are; traps outside the span.
  @_lifetime(self: copy self)
  public mutating func store(_ bytes: [UInt8], at offset: Int) {
    for (index, byte) in bytes.enumerated() { store(byte, at: offset + index) }
  }
}
