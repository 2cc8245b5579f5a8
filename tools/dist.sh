# dist: the release archive with checksums.
use build

verb_dist() {
    verb_build
    packaging/dist
}
