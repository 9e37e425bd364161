/// Bytes from commented hex: what is no digit is skipped, `//` to the end of the line is a comment.
package func hex(_ text: some StringProtocol) -> [UInt8] {
  let digits = text.split(whereSeparator: \.isNewline).flatMap { line in
    line.split(separator: "//", omittingEmptySubsequences: false)[0].compactMap(\.hexDigitValue)
  }
  precondition(digits.count % 2 == 0, "half a byte too much: \(text)")
  return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
}

extension Array<UInt8> {
  /// The bytes behind a span.
  package init(_ span: RawSpan) {
    self = unsafe span.withUnsafeBytes { unsafe Array($0) }
  }

  package var rawSpan: RawSpan {
    @_lifetime(borrow self) get { unsafe span.bytes }
  }

  package var mutableRawSpan: MutableRawSpan {
    @_lifetime(&self) mutating get {
      // The pointer is to the elements themselves, and `&self` keeps all others off them.
      let elements = unsafe withUnsafeMutableBytes { unsafe $0 }
      return unsafe _overrideLifetime(MutableRawSpan(_unsafeBytes: elements), mutating: &self)
    }
  }
}
