/// A line as words.
package enum Words {
  /// What white space separates; isspace(3) of the C locale knows ASCII only.
  package static func split(_ line: some StringProtocol) -> [String] { split(line.utf8, until: nil) }

  /// - Parameter end: The line ends before this byte.
  static func split(_ line: some Collection<UInt8>, until end: UInt8?) -> [String] {
    var words: [String] = []
    words.reserveCapacity(16)
    var word: [UInt8] = []
    for byte in line {
      if byte == end { break }
      if isBlank(byte) {
        if !word.isEmpty { words.append(String(decoding: word, as: UTF8.self)) }
        word.removeAll(keepingCapacity: true)
      } else {
        word.append(byte)
      }
    }
    if !word.isEmpty { words.append(String(decoding: word, as: UTF8.self)) }
    return words
  }
}
