# image: builds the container image and proves that it runs.
use deps

verb_image() {
    require test
    { docker info || podman info; } >/dev/null 2>&1 || require image
    step "image" packaging/image || die "the image failed"
    grep "^image: " "$LOGS/image.log"
    tail -n 1 "$LOGS/image.log"
}
