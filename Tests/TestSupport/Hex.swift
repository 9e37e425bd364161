/// Bytes from commented hex: two digits each, `//` to the end of the line is a comment.
package func hex(_ text: String) -> [UInt8] {
  text.split(whereSeparator: \.isNewline).flatMap { line in
    line.split(separator: "//", omittingEmptySubsequences: false)[0].split(separator: " ").map { word in
      guard word.count == 2, let byte = UInt8(word, radix: 16) else { fatalError("no hex: \(word)") }
      return byte
    }
  }
}

extension [UInt8] {
  package var rawSpan: RawSpan {
    @_lifetime(borrow self) get { unsafe span.bytes }
  }

  package var mutableRawSpan: MutableRawSpan {
    @_lifetime(&self) mutating get {
      // the pointer is to the elements themselves, and `&self` keeps all others off them
      let elements = unsafe withUnsafeMutableBytes { unsafe $0 }
      return unsafe _overrideLifetime(MutableRawSpan(_unsafeBytes: elements), mutating: &self)
    }
  }
}
