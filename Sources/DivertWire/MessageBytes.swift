/// Reads what a control message is made of: integers in network byte order, texts and lists with their length in front.
struct MessageReader {
  var bytes: ArraySlice<UInt8>

  mutating func integer<Integer: FixedWidthInteger>(_ type: Integer.Type) -> Integer? {
    let size = Integer.bitWidth / 8
    guard bytes.count >= size else { return nil }
    defer { bytes = bytes.dropFirst(size) }
    return bytes.prefix(size).reduce(0) { size == 1 ? Integer($1) : $0 << 8 | Integer($1) }
  }

  /// Four bytes of length, then the text.
  mutating func text() -> String? {
    guard let count = integer(UInt32.self), bytes.count >= Int(count) else { return nil }
    defer { bytes = bytes.dropFirst(Int(count)) }
    return String(validating: bytes.prefix(Int(count)), as: UTF8.self)
  }

  /// Four bytes that say how many, then the elements.
  mutating func list<Element>(_ read: (inout MessageReader) -> Element?) -> [Element]? {
    guard let count = integer(UInt32.self) else { return nil }
    var elements: [Element] = []
    for _ in 0..<count {
      // Every element has bytes: a count that promises too much ends here.
      guard let element = read(&self) else { return nil }
      elements.append(element)
    }
    return elements
  }
}

extension [UInt8] {
  mutating func append<Integer: FixedWidthInteger>(_ integer: Integer) {
    for shift in stride(from: Integer.bitWidth - 8, through: 0, by: -8) {
      append(UInt8(truncatingIfNeeded: integer >> Integer(shift)))
    }
  }

  mutating func append(_ text: String) {
    append(UInt32(text.utf8.count))
    append(contentsOf: text.utf8)
  }

  mutating func append<Item>(_ list: [Item], _ write: (inout [UInt8], Item) -> Void) {
    append(UInt32(list.count))
    for element in list { write(&self, element) }
  }
}
