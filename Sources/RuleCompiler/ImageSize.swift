package import BPF
package import Firewall
package import Kernel

/// How large the maps are that rule images lie in. The verifier has to know the size of what a program reads, so all
/// images of a program have the same; for larger ones other programs are loaded.
package struct ImageSize: Comparable, Sendable {
  /// As many as an index into the image may name, a power of two.
  package let words: Int

  /// 4 MiB: some 10 000 rules.
  package static let usual = ImageSize(words: 1 << 19)
  private static let largest = ImageSize(words: 1 << 25)

  /// What programs may read behind a word that they have looked up, in bytes.
  static let slack = 256

  var byteCount: Int { words * 8 + Self.slack }

  private init(words: Int) { self.words = words }

  /// The least size that holds an image, and at least another one.
  ///
  /// - Throws: `E2BIG` for an image that none holds.
  package init(holding image: borrowing RuleImage, atLeast least: ImageSize) throws(SystemError) {
    var words = least.words
    while words < image.words.count { words *= 4 }
    guard words <= Self.largest.words else {
      throw SystemError(
        "give the kernel \(image.size >> 20) MiB of rules", code: 7,
        advice: "\(Self.largest.byteCount >> 20) MiB are the most; use fewer rules, or such as differ less")
    }
    self.words = words
  }

  package static func < (left: ImageSize, right: ImageSize) -> Bool { left.words < right.words }

  /// A map that holds the map of one image.
  package func makeMap() throws(SystemError) -> Map {
    try Map("divert_rules", .arrayOfMaps, valueSize: 4, capacity: 1, of: try makeImageMap())
  }

  func makeImageMap() throws(SystemError) -> Map {
    try Map("divert_image", .array, valueSize: byteCount, capacity: 1, isMappable: true)
  }
}

/// A rule image in memory of the kernel, which is in force nowhere yet.
package final class LoadedImage: Sendable {
  private let map: Map
  package let size: ImageSize

  package init(_ image: borrowing RuleImage, size: ImageSize) throws(SystemError) {
    map = try size.makeImageMap()
    self.size = size
    let memory = try SharedMapping(of: map.descriptor, length: size.byteCount, isWritable: true)
    memory.store(image.words)
  }

  /// Puts the image in force for all hooks at once: a packet is judged by the old one or by this one. The maps are for
  /// images of this size.
  package func enforce(_ maps: borrowing HookMaps) throws(SystemError) {
    try maps.images.update(UInt32(0), map.descriptor.number)
  }
}
